"""Build-time only: published weights to an ONNX graph. The running service never imports this package."""

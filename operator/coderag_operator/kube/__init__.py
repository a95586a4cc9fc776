"""The Kubernetes API as the operator uses it: five calls, plain dicts in and out, every call with a time limit."""

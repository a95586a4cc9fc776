"""Answers from found code: the context, the prompt, the model behind the gateway, and the check of every citation."""

"""The wire: messages, their codec, and the codes of errors."""

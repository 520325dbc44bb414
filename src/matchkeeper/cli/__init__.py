"""The command line. Heavy modules are loaded by the command that needs them."""

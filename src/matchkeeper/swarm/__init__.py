"""Players and game servers by the thousand, to try a deployment from outside.

It stands where game servers stand: it speaks the plain wire, and knows nothing of the server.
"""

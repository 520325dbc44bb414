"""Players and game servers, good and bad, what they saw, and who judges it. Knows no server."""

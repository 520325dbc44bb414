"""What becomes of a committed match: its offers, the reaper, and the game servers that take it."""

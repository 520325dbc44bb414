"""What becomes of a committed match: offers, what is overdue, the game servers that take them."""

"""How fast it is, beside how fast Redis would let it be."""

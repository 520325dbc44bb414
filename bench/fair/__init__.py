"""How fair it is for the wait: strategies beside those of others, on the same arrivals."""

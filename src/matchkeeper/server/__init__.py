"""One server: what it is wired from, what watches it, its life, and HTTP."""

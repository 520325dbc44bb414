"""Fuzzers of everything that reads what others have written: `python -m proof.fuzz`."""

"""Deliberate bugs: each is put into a scratch copy of the project, and must be found."""

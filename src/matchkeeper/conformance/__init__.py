"""Tries a game server: plays it good and bad evenings, and says what it kept."""

"""Strategies: pure functions from tickets to proposals."""

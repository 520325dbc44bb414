"""Deadline, retry, single flight and circuit breaker: they know only the clock and errors."""

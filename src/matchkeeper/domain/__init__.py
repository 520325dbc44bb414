"""Ticket, mode and match: frozen data, no I/O."""

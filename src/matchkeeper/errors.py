"""The one error root. Every error says what was wrong and, in `hint`, what to do."""

from __future__ import annotations


class MatchkeeperError(Exception):
    """Root of all errors that Matchkeeper raises on purpose.

    `exit_code` is what a command ends with when this error reaches its top.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(MatchkeeperError):
    """A setting is missing, unknown, of the wrong type or impossible."""

    exit_code = 2


class StoreError(MatchkeeperError):
    """An operation on Redis did not succeed."""

    exit_code = 3


class FormError(MatchkeeperError):
    """The state in Redis is of a form that this version of Matchkeeper cannot work with."""

    exit_code = 5


class StoreTimeoutError(StoreError):
    """Redis did not answer within the operation's deadline."""


class StoreUnavailableError(StoreError):
    """The connection to Redis failed: refused, reset, closed, or not resolved."""


class StoreNotReadyError(StoreError):
    """Redis answers, but cannot do the work now: LOADING, OOM, BUSY, MISCONF."""


class StoreReadOnlyError(StoreNotReadyError):
    """The address leads to a replica, which takes no writes."""


class StoreForbiddenError(StoreError):
    """The user lacks a right. An outage: whoever runs Redis mends it, then the call succeeds."""


class StoreLoginError(StoreForbiddenError):
    """Redis does not let this user in: NOAUTH, WRONGPASS."""


class StoreRefusedError(StoreError):
    """Redis refused the operation and will again: a wrong type under a key."""


class CircuitOpenError(StoreError):
    """The circuit breaker is open, so nothing was sent."""


class NotFoundError(MatchkeeperError):
    """What a command or a call asked for does not exist."""

    exit_code = 4

"""What an error of Redis means for us."""

from __future__ import annotations

from enum import StrEnum
from ssl import SSLCertVerificationError, SSLError

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from matchkeeper.errors import (
    CircuitOpenError,
    StoreError,
    StoreNotReadyError,
    StoreRefusedError,
    StoreTimeoutError,
    StoreUnavailableError,
)

_NOT_READY = ("BUSY ", "MISCONF", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "OOM ")
_BUSY = (BusyLoadingError, ReadOnlyError, OutOfMemoryError)
_FILES = (
    "a file that redis.url names cannot be used (ssl_ca_certs, ssl_certfile, ssl_keyfile, a socket)"
)
_AUTHORITY = "ssl_ca_certs must hold the authority that signed the certificate of Redis."
_NO_RIGHT = (AuthenticationError, AuthorizationError, NoPermissionError)


class Outcome(StrEnum):
    """How an operation on Redis ended."""

    OK = "ok"
    TIMEOUT = "timeout"
    NETWORK = "network"
    NOT_READY = "not_ready"
    REFUSED = "refused"
    CIRCUIT_OPEN = "circuit_open"
    NOT_DURABLE = "not_durable"


class NotDurableError(StoreError):
    """The change was made, but is not yet as durable as was asked."""


_OUTCOMES: dict[type[StoreError], Outcome] = {
    StoreTimeoutError: Outcome.TIMEOUT,
    StoreUnavailableError: Outcome.NETWORK,
    StoreNotReadyError: Outcome.NOT_READY,
    StoreRefusedError: Outcome.REFUSED,
    CircuitOpenError: Outcome.CIRCUIT_OPEN,
    NotDurableError: Outcome.NOT_DURABLE,
}


def outcome_of(error: BaseException | None) -> Outcome:
    """The outcome that an error of ours stands for; None is OK."""
    if error is None:
        return Outcome.OK
    return next(
        (each for kind, each in _OUTCOMES.items() if isinstance(error, kind)), Outcome.REFUSED
    )


def translate(operation: str, error: Exception) -> StoreError | None:
    """The error of ours that a library's error means, or None when it is none of Redis's."""
    if isinstance(error, StoreError):
        return error
    text = str(error) or type(error).__name__
    if isinstance(error, RedisTimeoutError):
        return StoreTimeoutError(f"{operation} timeout: {text}")
    if isinstance(error, _NO_RIGHT):
        return StoreRefusedError(
            f"Redis refuses {operation}: {text}",
            hint="Check the user and password in redis.url and the rights of that user (ACL).",
        )
    # Forgotten again since it was given back its scripts: a failover or a flush, in that moment.
    if isinstance(error, (*_BUSY, NoScriptError)) or text.startswith(_NOT_READY):
        return StoreNotReadyError(
            f"Redis is not ready for {operation}: {text}",
            hint="It may be loading, a replica, out of memory, or busy; see `matchkeeper doctor`.",
        )
    if isinstance(error, (RedisConnectionError, OSError)) or _on_closed_transport(error):
        hint = "Check that Redis runs and that redis.url points to it."
        if _is_about_a_file(error):
            text = f"{text.rstrip('.')}: {_FILES}"
            hint = f"Is each file there, and may it be read? {_AUTHORITY} {hint}"
        return StoreUnavailableError(f"{operation} network error: {text}", hint=hint)
    known = isinstance(error, RedisError)
    return StoreRefusedError(f"Redis refuses {operation}: {text}") if known else None


def _is_about_a_file(error: BaseException) -> bool:
    """Whether a certificate or a socket is missing, unreadable, or no good."""
    if isinstance(error, (FileNotFoundError, PermissionError, SSLCertVerificationError)):
        return True
    if isinstance(error, SSLError) and error.reason == "NO_CERTIFICATE_OR_CRL_FOUND":
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and _is_about_a_file(cause)


def _on_closed_transport(error: Exception) -> bool:
    """uvloop says with a RuntimeError that a connection was lost before it was written to."""
    return isinstance(error, RuntimeError) and "the handler is closed" in str(error)


def counts_as_outage(error: BaseException) -> bool:
    """Whether the circuit breaker counts this error: Redis did not do its work."""
    return isinstance(error, (StoreTimeoutError, StoreUnavailableError, StoreNotReadyError))


def worth_a_retry(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    return counts_as_outage(error) or isinstance(error, NotDurableError)

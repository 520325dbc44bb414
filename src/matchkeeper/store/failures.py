"""What an error of Redis means for us."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ssl import SSLCertVerificationError, SSLError
from typing import Any

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ExternalAuthProviderError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ..errors import (
    CircuitOpenError,
    StoreError,
    StoreForbiddenError,
    StoreLoginError,
    StoreNotReadyError,
    StoreReadOnlyError,
    StoreRefusedError,
    StoreTimeoutError,
    StoreUnavailableError,
)

_FILES = (
    "a file that redis.url names cannot be used (ssl_ca_certs, ssl_certfile, ssl_keyfile, a socket)"
)
_POINTS = "Check that Redis runs and that redis.url points to it."
_AUTHORITY = "ssl_ca_certs must hold the authority that signed the certificate of Redis."


class Outcome(StrEnum):
    """How an operation on Redis ended."""

    OK = "ok"
    TIMEOUT = "timeout"
    NETWORK = "network"
    NOT_READY = "not_ready"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    CIRCUIT_OPEN = "circuit_open"
    NOT_DURABLE = "not_durable"


class NotDurableError(StoreError):
    """The change was made, but is not yet as durable as was asked. `reply`: what the script said,
    as it came.
    """

    def __init__(self, message: str, *, hint: str = "", reply: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.reply = reply


_OUTCOMES: dict[type[StoreError], Outcome] = {
    StoreTimeoutError: Outcome.TIMEOUT,
    StoreUnavailableError: Outcome.NETWORK,
    StoreNotReadyError: Outcome.NOT_READY,
    StoreForbiddenError: Outcome.FORBIDDEN,
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


def _is_about_a_file(error: BaseException) -> bool:
    """Whether a certificate or a socket is missing, unreadable, or no good."""
    if isinstance(error, (FileNotFoundError, PermissionError, SSLCertVerificationError)):
        return True
    if isinstance(error, SSLError) and error.reason == "NO_CERTIFICATE_OR_CRL_FOUND":
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and _is_about_a_file(cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What some errors of the library mean. `says` may name `operation` and `text`."""

    error: type[StoreError]
    classes: tuple[type[Exception], ...] = ()
    where: Callable[[Exception], bool] = lambda _: True
    """What must also hold of an error of these classes."""
    text: re.Pattern[str] | None = None
    """For errors without a class in the library: how the text begins, without its code ERR."""
    says: str = "Redis refuses {operation}: {text}"
    hint: str = ""

    def fits(self, error: Exception, text: str) -> bool:
        known = isinstance(error, self.classes) and self.where(error)
        return known or bool(self.text and self.text.match(text))


# The first that fits counts: in the library, special classes are connection errors as well.
_KINDS = (
    _Kind(
        error=StoreTimeoutError,
        classes=(RedisTimeoutError,),
        says="{operation} timeout: {text}",
    ),
    _Kind(
        error=StoreLoginError,
        classes=(AuthenticationError, AuthorizationError, ExternalAuthProviderError),
        hint="Check the user and password in redis.url.",
    ),
    _Kind(
        error=StoreForbiddenError,
        classes=(NoPermissionError,),
        # While a script runs: Valkey, and Redis from 7.2 on; Redis 7.0.
        text=re.compile("ACL failure in script|The user executing the script can't"),
        hint="Check the rights of the user in redis.url (ACL); see `matchkeeper doctor`.",
    ),
    _Kind(
        error=StoreReadOnlyError,
        classes=(ReadOnlyError,),
        says="Redis refuses {operation}: this is a replica now",
        hint="Point redis.url to the primary; its name is looked up again meanwhile.",
    ),
    _Kind(
        error=StoreNotReadyError,
        classes=(
            BusyLoadingError,
            OutOfMemoryError,
            ClusterDownError,
            TryAgainError,
            # Redis has forgotten the script just after it was given: a failover or a flush.
            NoScriptError,
        ),
        text=re.compile("BUSY |MISCONF|NOREPLICAS|UNBLOCKED"),
        says="Redis is not ready for {operation}: {text}",
        hint="It may be loading, out of memory, or busy; see `matchkeeper doctor`.",
    ),
    _Kind(
        error=StoreUnavailableError,
        classes=(RedisConnectionError, OSError),
        where=_is_about_a_file,
        says=f"{{operation}} network error: {{text}}: {_FILES}",
        hint=f"Is each file there, and may it be read? {_AUTHORITY} {_POINTS}",
    ),
    _Kind(
        error=StoreUnavailableError,
        classes=(RedisConnectionError, OSError),
        says="{operation} network error: {text}",
        hint=_POINTS,
    ),
    _Kind(error=StoreRefusedError, classes=(RedisError,)),
)


def translate(operation: str, error: Exception) -> StoreError | None:
    """Our error for an error of the library, or None when the error is not about Redis."""
    if isinstance(error, StoreError):
        return error
    if _on_closed_transport(error):
        error = RedisConnectionError(str(error))
    text = str(error).rstrip(".") or type(error).__name__
    for kind in _KINDS:
        if kind.fits(error, text):
            return kind.error(kind.says.format(operation=operation, text=text), hint=kind.hint)
    return None


def _on_closed_transport(error: Exception) -> bool:
    """uvloop raises RuntimeError when a connection was lost before the write."""
    return isinstance(error, RuntimeError) and "the handler is closed" in str(error)


def counts_as_outage(error: BaseException) -> bool:
    """Whether the circuit breaker counts this error: Redis did not do its work."""
    return isinstance(
        error, (StoreTimeoutError, StoreUnavailableError, StoreNotReadyError, StoreLoginError)
    )


def worth_a_retry(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    return counts_as_outage(error) or isinstance(error, NotDurableError)

"""Which requests may pass, and how many at once, before any route is reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

Guard = Callable[[ASGIApp], ASGIApp]
_EXEMPT = ("/health/", "/metrics")
"""They tell nothing about players, and probes use any host name."""
_MISDIRECTED, _BUSY = 421, 503
_AT_ONCE = 4
_WAITING = 32
_SECONDS = 15.0


def host_allowed(header: str, allowed: Sequence[str]) -> bool:
    """Whether a request with this Host header is meant for us.

    A foreign page can make its own name point to our address, but the browser still sends that name
    as Host. So addresses and localhost pass, and only known names.
    """
    name = header.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    if name == "localhost" or _is_address(name):
        return True
    return any(
        name == each or (each[0] == "*" and name.endswith(each[1:]))
        for each in map(str.lower, allowed)
    )


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def only_hosts(allowed: Sequence[str]) -> Guard:
    """Answers 421 to a request that names another host, unless it asks for health or metrics."""

    def guard(app: ASGIApp) -> ASGIApp:
        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if not scope["path"].startswith(_EXEMPT):
                host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
                if not host_allowed(host, allowed):
                    raise HTTPException(
                        f"This server is not known as {host!r}: name it in server.allowed_hosts.",
                        status_code=_MISDIRECTED,
                    )
            await app(scope, receive, send)

        return guarded

    return guard


def budgeted(
    *, at_once: int = _AT_ONCE, waiting: int = _WAITING, seconds: float = _SECONDS
) -> Guard:
    """Bounds what people ask of Redis: a few requests at once, a few more wait, each with a
    deadline. All others are answered 503.
    """
    turn = asyncio.Semaphore(at_once)
    held = 0

    def guard(app: ASGIApp) -> ASGIApp:
        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal held
            if held >= at_once + waiting:
                raise HTTPException("Too many questions at once; ask later.", status_code=_BUSY)
            held += 1
            try:
                async with asyncio.timeout(seconds), turn:
                    await app(scope, receive, send)
            except TimeoutError:
                raise HTTPException(
                    f"No answer within {seconds:g} s; ask for less, or later.", status_code=_BUSY
                ) from None
            finally:
                held -= 1

        return guarded

    return guard

"""A deadline for one operation on something outside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ..errors import StoreTimeoutError

T = TypeVar("T")

_HINT = "Redis is slow, frozen or out of reach; see `matchkeeper doctor`."


async def within(seconds: float, operation: str, awaitable: Awaitable[T]) -> T:
    """What `awaitable` returns, or StoreTimeoutError after `seconds`.

    A TimeoutError out of `awaitable` becomes StoreTimeoutError too, with the seconds it really
    took. Cancellation and timeouts from outside pass through unchanged, even where `awaitable` has
    turned them into another error.
    """
    cancels_before = _cancels()
    clock = asyncio.get_running_loop().time
    begun = clock()
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            return await awaitable
    except Exception as error:
        # A library may turn a cancellation into an error of its own, such as a lost connection. If
        # that counted as a failure, a task that was told to end would retry the call.
        if _cancels() > cancels_before:
            raise asyncio.CancelledError from error
        if deadline.expired():
            raise _timeout(operation, seconds) from error
        if isinstance(error, TimeoutError):
            raise _timeout(operation, round(clock() - begun, 3)) from error
        raise


def _cancels() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _timeout(operation: str, seconds: float) -> StoreTimeoutError:
    return StoreTimeoutError(f"{operation} timeout after {seconds:g}s", hint=_HINT)

"""The Lua files, loaded, and called by their hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)


class Script(StrEnum):
    """One Lua file per operation; the value is its name."""

    ENQUEUE = "enqueue"
    DEQUEUE = "dequeue"
    SCAN = "scan"
    NEWER = "newer"
    FETCH = "fetch"
    COMMIT = "commit"
    CLAIM = "claim"
    CONFIRM = "confirm"
    SETTLE = "settle"
    DECLINE = "decline"
    OVERDUE = "overdue"
    REDELIVER = "redeliver"
    GIVE_BACK = "give_back"
    SET_ASIDE = "set_aside"
    SET_ASIDE_MATCHES = "set_aside_matches"
    EXPIRE = "expire"
    REQUEUE = "requeue"
    DROP = "drop"
    HEAR_LEASE = "hear_lease"
    HEAR_MOVE = "hear_move"
    BURY = "bury"
    HAND_ON = "hand_on"
    SUBMIT = "submit"
    HEARTBEAT = "heartbeat"
    PODS = "pods"
    CLOCK = "clock"
    ALERT_RAISE = "alert_raise"
    ALERT_RESOLVE = "alert_resolve"
    BEAT = "beat"
    MODE_STATE = "mode_state"


@cache
def source(script: Script) -> str:
    """The Lua text that is sent to Redis, with its includes in place."""
    folder = files(__package__) / "lua"
    text = (folder / f"{script.value}.lua").read_text("utf-8")
    return _INCLUDE.sub(lambda m: (folder / "lib" / f"{m[1]}.lua").read_text("utf-8"), text)


@cache
def sha(script: Script) -> str:
    """The name under which Redis keeps the script."""
    return hashlib.sha1(source(script).encode(), usedforsecurity=False).hexdigest()


def read_all() -> None:
    """Reads every script now: later there may be no descriptor left to open a file with."""
    for script in Script:
        sha(script)


Argument = str | bytes | int | float


async def call(
    redis: Redis, script: Script, keys: Sequence[str | bytes], args: Sequence[Argument] = ()
) -> Any:
    """Runs a script. A Redis that has forgotten it (restart, SCRIPT FLUSH) is given it again."""
    try:
        return await redis.execute_command("EVALSHA", sha(script), len(keys), *keys, *args)
    except NoScriptError:
        # NOSCRIPT means that nothing ran.
        await load(redis, script)
        return await redis.execute_command("EVALSHA", sha(script), len(keys), *keys, *args)


async def load(redis: Redis, script: Script) -> None:
    """Gives Redis the text of a script."""
    await redis.execute_command("SCRIPT LOAD", source(script))

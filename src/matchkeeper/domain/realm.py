"""Realms, and which queue is meant. All keys are made of these names, in `store/keys.py`."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

NO_REALM = ""
"""The realm of all modes for which the settings name none."""


def realm_problem(realm: str) -> str | None:
    """What makes a text unusable as the name of a realm, or None."""
    if re.fullmatch(r"[a-z0-9._-]{0,64}", realm):
        return None
    return "a realm is named by up to 64 lower-case letters, digits, and . _ -"


def folded(game_mode: str) -> str:
    """A mode's name as it is compared and stored in Redis: `Normal` and `NORMAL` are the same."""
    return game_mode.lower()


def in_realm(name: str, realm: str) -> str:
    """The name of what a whole realm has once: of `pods`, in the realm `eu`, `pods:{eu}`."""
    return f"{name}:{{{realm}}}" if realm else name


class QueueName(msgspec.Struct, frozen=True, order=True, kw_only=True, gc=False, cache_hash=True):
    """Names one queue: all that its keys are made of."""

    realm: str = NO_REALM
    """Modes of one realm share their players; between realms nothing is shared."""
    mode: str
    """As `folded`: `Normal` is `queue:{normal}`, and in the realm `eu` `queue:{eu}:normal`."""

    @staticmethod
    @lru_cache(1024)
    def of(game_mode: str, realm: str = NO_REALM) -> QueueName:
        """The queue of a mode, however the name is written."""
        return QueueName(realm=realm, mode=folded(game_mode))

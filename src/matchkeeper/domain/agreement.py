"""What the servers of one Redis must agree on, and what follows where they do not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec

HEARD = (
    "matchmaking.enqueue_request_channel",
    "matchmaking.dequeue_request_channel",
    "matchmaking.handoff_request_channel",
)
"""The settings that name the channels of requests."""
_MOST = 10
"""At most so many differences are named: all of a thousand modes may differ."""


class ModeState(StrEnum):
    """What an operator decided for a mode; both states may hold."""

    DRAINED = "drained"
    """No new players; players who wait are matched."""
    PAUSED = "paused"
    """Nobody is matched; newcomers wait."""


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that must be the same on all servers, each key with its value."""

    common: dict[str, Any]
    modes: dict[str, dict[str, Any]]
    """`folded` name of a mode -> its settings."""

    def text(self) -> str:
        """JSON text, the same for the same settings."""
        return json.dumps(msgspec.to_builtins(self), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """A digest of `text`, 32 hex digits."""
        return sha256(self.text().encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A server that lives. Settings that were first seen later have a higher `number`."""

    name: str
    number: int
    digest: str
    """The digest of `shared`."""
    shared: Shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a server has found out about the others."""

    differences: tuple[str, ...] = ()
    """Sentences that name the key, its values, and the other server."""
    others: frozenset[str] = frozenset()
    """Modes that only servers with newer settings match."""
    elsewhere: frozenset[str] = frozenset()
    """Modes that other servers have and this one does not have."""


def double_hearing(me: Shared, others: Sequence[Peer]) -> str:
    """A sentence if another server hears just one of the two channels of requests that this one
    hears. Both servers would do the requests of that channel. Empty if there is no such server.
    """
    for other in others:
        same = [me.common.get(key) == other.shared.common.get(key) for key in HEARD]
        if any(same) and not all(same):
            shared, differs = (HEARD[same.index(each)] for each in (True, False))
            return (
                f"{differs} is {me.common.get(differs)!r} here and "
                f"{other.shared.common.get(differs)!r} on {other.name}, and {shared} is the same: "
                "both would do what comes by it"
            )
    return ""


def agreement(me: Peer, others: Sequence[Peer]) -> Agreement:
    """A mode whose settings differ is matched by the servers with the newest settings that have
    this mode, so that no two servers match one queue by different rules.
    """
    found = list(_differences(me, others))
    if len(found) > _MOST:
        found[_MOST:] = [f"{len(found) - _MOST} more differences"]
    newer = {
        mode
        for mode in me.shared.modes
        for newest in (max((me, *others), key=lambda peer: _number(peer, mode)),)
        if _of(newest, mode) != _of(me, mode)
    }
    elsewhere = {mode for other in others for mode in other.shared.modes} - me.shared.modes.keys()
    return Agreement(
        differences=tuple(found), others=frozenset(newer), elsewhere=frozenset(elsewhere)
    )


def _number(peer: Peer, mode: str) -> tuple[int, str]:
    return (peer.number, peer.digest) if mode in peer.shared.modes else (-1, "")


def _of(peer: Peer, mode: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return peer.shared.common, peer.shared.modes[mode]


def _differences(me: Peer, others: Sequence[Peer]) -> Iterator[str]:
    """Each difference once, with the first server that has it."""
    seen = {me.digest}
    for other in others:
        if other.digest in seen:
            continue
        seen.add(other.digest)
        yield from _between("", me.shared.common, other.shared.common, other.name)
        mine, theirs = me.shared.modes, other.shared.modes
        for mode in sorted({*mine, *theirs}):
            if mode not in theirs:
                yield f"mode {mode} is not configured on {other.name}"
            elif mode not in mine:
                yield f"mode {mode} is configured on {other.name}, and not here"
            else:
                yield from _between(f" of mode {mode}", mine[mode], theirs[mode], other.name)


def _between(
    where: str, mine: Mapping[str, Any], theirs: Mapping[str, Any], name: str
) -> Iterator[str]:
    for key in sorted({*mine, *theirs}):
        here, there = (json.dumps(each.get(key)) for each in (mine, theirs))
        if here != there:
            yield f"{key}{where} is {here} here and {there} on {name}"

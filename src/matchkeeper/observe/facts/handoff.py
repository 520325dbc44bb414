"""Facts of the handoff: from a committed match to its start, and the game servers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from matchkeeper.observe.facts.fact import (
    CRITICAL,
    DEBUG,
    ERROR,
    INFO,
    WARNING,
    Fields,
    fact,
    logged,
)
from matchkeeper.store.history import Happened


class Claimed(NamedTuple):
    """A match that was claimed."""

    match_id: str
    pod_id: str
    offered_seconds: float | None
    """From its commit to its claim; None: the commit was not read."""


class Started(NamedTuple):
    """A match that was started."""

    match_id: str
    pod_id: str


def _each(mode: str, matches: Iterable[Claimed | Started], **_: object) -> Iterator[Fields]:
    for each in matches:
        yield {"mode": mode, "match_id": each.match_id, "pod_id": each.pod_id}


def _without_mode(mode: str, **fields: str) -> Iterator[Fields]:  # noqa: ARG001
    yield fields


class HandoffFacts:
    """What happens to matches after their commit, and to those who start them."""

    @fact
    def history_read(self, *, happened: Sequence[Happened]) -> None:
        """What happened to players and matches, whichever server wrote it down."""

    @fact
    def handoffs_pending(self, *, mode: str, count: int) -> None:
        """So many matches are not claimed or not confirmed yet."""

    @logged(DEBUG, "Match {match_id} of {mode} claimed by {pod_id}", told=_each)
    def match_claimed(
        self, *, mode: str, matches: Sequence[Claimed], waits_seconds: Sequence[float]
    ) -> None:
        """A game server took it."""

    @logged(DEBUG, "Match {match_id} of {mode} started by {pod_id}", told=_each)
    def match_started(self, *, mode: str, matches: Sequence[Started]) -> None:
        """A game server confirmed the start; the players were told."""

    @fact
    def handoff_answered(self, *, mode: str, kind: str, reply: str, count: int) -> None:
        """So many messages of game servers about matches were answered so."""

    @fact
    def match_declined(self, *, pod_id: str) -> None:
        """A game server gave a match back that it had claimed."""

    @logged(
        WARNING,
        "Refused {step} of match {match_id} by {pod_id}: {code}",
        "If it happens often, the game server is slow; see its log.",
        told=_without_mode,
    )
    def claim_refused(self, *, step: str, code: str, match_id: str, pod_id: str, mode: str) -> None:
        """A game server came too late or with an old offer. It must not start this match."""

    @fact
    def offer_unclaimed(self, *, pod_id: str) -> None:
        """An offer with players of this pod was claimed by nobody."""

    @fact
    def offer_declined(self, *, mode: str) -> None:
        """The game server that had claimed an offered match declined it."""

    @logged(
        INFO,
        "Match {match_id} of {mode} offered again (offer {offer}, {subscribers} subscriber(s))",
        page="A match of {mode} is offered again (offer {offer})",
    )
    def match_redelivered(self, *, mode: str, match_id: str, offer: int, subscribers: int) -> None:
        """Nobody claimed it in time, or it was declined."""

    @logged(
        WARNING,
        "Match {match_id} of {mode} given back: {players} player(s), {cause}",
        "`unclaimed`, `lease_expired`: look at the game servers.",
        page="A match of {mode} did not start ({cause}). Back at their place: {players} player(s)",
    )
    def match_given_back(
        self, *, mode: str, match_id: str, players: int, cause: str, pod_id: str = ""
    ) -> None:
        """It ended without a start; its players are in the queue again, at their old place."""

    @logged(
        WARNING,
        "Match {match_id} of {mode} was confirmed by {pod_id}, which went silent: {outcome}",
        "Look at that game server, and at the replicas or the disk of Redis.",
    )
    def match_settled(self, *, mode: str, match_id: str, pod_id: str, outcome: str) -> None:
        """Nobody knows whether it started there. `started`: its players were told that it did.
        Otherwise the start is not yet as durable as `redis.durability` asks, and is tried again.
        """

    @logged(
        ERROR,
        "Set aside {matches} pending match(es) of {mode} with {players} player(s), such as "
        "{match_id}: {reason}",
        "`matchkeeper dead-letters list`; requeue them with metadata. The hash `match:{mode}:<id>` "
        "is kept for a day.",
    )
    def matches_set_aside(
        self, *, mode: str, matches: int, players: int, match_id: str, reason: str
    ) -> None:
        """Somebody else has changed them in Redis, or put them there. Their players are dead
        letters, and may ask again. All others are matched.
        """

    @logged(
        WARNING,
        "Matches with players of {pod_id} go unclaimed, {matches} in a row: tickets held",
        "Look at that game server.",
    )
    def pod_unclaimed(self, *, pod_id: str, matches: int) -> None:
        """Its players are matched with nobody for a while, so that nobody else is kept up."""

    @logged(
        ERROR,
        "Pod {pod_id} claimed {matches} matches of {mode} in a row and started none: "
        "its claims are refused",
        "Look at that game server, or stop it; see the runbook `claims-refused.md`.",
    )
    def claims_refused(self, *, pod_id: str, mode: str, matches: int) -> None:
        """Other game servers get the matches. After a time that grows, one claim is let through, to
        find out.
        """

    @logged(INFO, "Claims of pod {pod_id} in {mode} are no longer refused")
    def claims_allowed(self, *, pod_id: str, mode: str) -> None:
        """The pod has started a match, or has claimed none for long."""

    @fact
    def pods_refused(self, *, count: int) -> None:
        """The claims of so many pods are refused now."""

    @logged(
        WARNING,
        "Pod {pod_id} sends no heartbeats any more: its tickets are held",
        "Look at that game server.",
    )
    def pod_silent(self, *, pod_id: str) -> None:
        """Its players are matched with nobody until it is back or they expire."""

    @logged(INFO, "Pod {pod_id} is back")
    def pod_back(self, *, pod_id: str) -> None:
        """Its players are matched again."""

    @fact
    def pods_silent(self, *, count: int) -> None:
        """The heartbeats of so many pods have stopped."""

    @fact
    def subscribers(self, *, count: int) -> None:
        """So many listen to battle requests."""

    @fact
    def offer_heard(self) -> None:
        """Somebody listens to battle requests."""

    @logged(
        WARNING,
        "No subscribers on {channel} channel ({attempts} attempt(s))",
        "Start a game server.",
        page="Game Server unavailable for {attempts} attempt(s): a match is ready and nobody "
        "listens on {channel}",
    )
    def game_server_missing(self, *, attempts: int, channel: str) -> None:
        """A match was ready, but no game server listens. The players still wait."""

    @logged(
        CRITICAL,
        "CRITICAL: Game Server unavailable for {attempts} consecutive attempts! "
        "No subscribers on {channel} channel.",
        "Start game servers, or find out why they lost Redis.",
        page="Game Server unavailable for {attempts} attempt(s); people on call are told",
    )
    def game_server_unavailable(self, *, attempts: int, channel: str) -> None:
        """Nobody can play. Repeated at an interval until a game server listens."""

    @logged(
        INFO,
        "Game Server recovered! {subscribers} subscriber(s) available. "
        "(Was down for {attempts} attempts)",
        page="Game Server is back after {attempts} attempt(s): {subscribers} subscriber(s)",
    )
    def game_server_recovered(self, *, subscribers: int, attempts: int) -> None:
        """Matching goes on by itself."""

"""Facts of queues and their rounds: who waits, who is matched, who leaves without a match."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Poison, members_of
from matchkeeper.errors import StoreError
from matchkeeper.observe.facts.fact import (
    DEBUG,
    ERROR,
    INFO,
    LOOK_AT_REDIS,
    WARNING,
    Fields,
    fact,
    logged,
)
from matchkeeper.store.matches import Committed


def _each_match(
    mode: GameMode,
    made: Sequence[Committed],
    waits_seconds: Sequence[float],  # noqa: ARG001
) -> Iterator[Fields]:
    for each in made:
        yield {
            "mode": mode.name,
            "match_id": each.match.match_id,
            "players": ", ".join(player.player_id for player in members_of(each.match.tickets)),
            "subscribers": each.subscribers,
        }


def _without_kind(kind: Poison, **fields: str) -> Iterator[Fields]:  # noqa: ARG001
    yield fields


class RoundFacts:
    """What happens to the queue of a mode, which is told by its name."""

    @fact
    def mode_served(self, *, mode: str, required_players: int) -> None:
        """This server has the mode."""

    @fact
    def queue_read(self, *, mode: str, length: int, more: int | None = None) -> None:
        """So many tickets wait, and `more` players than tickets; None: as many more as were told
        last.
        """

    @fact
    def oldest_wait(self, *, mode: str, seconds: float) -> None:
        """The player who waits longest has waited so long; 0 where nobody waits."""

    @fact
    def dead_letters(self, *, mode: str, length: int, newest: Sequence[float]) -> None:
        """So many tickets are set aside now; when the newest two were, in Unix seconds."""

    @fact
    def tickets_held(self, *, mode: str, counts: Mapping[str, int]) -> None:
        """A round leaves so many tickets alone, by the reason."""

    @logged(
        WARNING,
        "Redis circuit open, skipping TryMatch",
        LOOK_AT_REDIS,
        page="No round of {mode}: Redis is out of reach",
    )
    def circuit_open_skip(self, *, mode: str) -> None:
        """A round was due, but Redis is out of reach."""

    @logged(
        WARNING,
        "TryMatch already running, skipping this tick",
        "Look at `round_duration_seconds` and `redis_operation_seconds`.",
        page="A round of {mode} takes longer than the tick",
    )
    def tick_skipped(self, *, mode: str) -> None:
        """A round takes longer than the tick interval: Redis is slow or the queue is long."""

    @fact
    def tick_left(self, *, mode: str) -> None:
        """A round was due, but another server has newer settings of the mode."""

    @fact
    def round_step(self, *, mode: str, step: str, seconds: float) -> None:
        """A part of a round is over."""

    @fact
    def round_ended(self, *, mode: str, outcome: str, seconds: float) -> None:
        """A round is over."""

    @logged(WARNING, "TryMatch of {mode} failed: {error}", LOOK_AT_REDIS)
    def round_failed(self, *, mode: str, error: str) -> None:
        """The round ended early. What it committed stands; everybody else still waits."""

    @logged(
        INFO,
        "TryMatch of {mode} looked at its bound of tickets; the next round reads on",
        "If waits grow, raise the bound or add game servers.",
    )
    def round_bound_hit(self, *, mode: str) -> None:
        """The queue is longer than `matchmaking.max_tickets_per_round`."""

    @logged(
        DEBUG,
        "Match {match_id} of {mode}: {players} ({subscribers} subscriber(s))",
        told=_each_match,
    )
    def match_committed(
        self, *, mode: GameMode, made: Sequence[Committed], waits_seconds: Sequence[float]
    ) -> None:
        """A match was made and published."""

    @fact
    def not_committed(self, *, match_id: str) -> None:
        """A proposal came to nothing."""

    @fact
    def commit_failed(self, *, match_ids: Collection[str], error: StoreError) -> None:
        """What came of proposals is not known."""

    @logged(DEBUG, "Proposal in {mode} dropped: {player_id} is not there any more")
    def proposal_stale(self, *, mode: str, player_id: str) -> None:
        """A player left, or another server was faster. The others still wait."""

    @logged(
        ERROR,
        "The strategy of {mode} proposed what its rules refuse: {why}",
        "Nobody was matched by it. Report it with the settings of the mode.",
        page="A proposal in {mode} was dropped: {why}",
    )
    def proposal_refused(self, *, mode: str, why: str) -> None:
        """A defect of the strategy, which the check of its proposals caught. The players wait."""

    @logged(
        INFO,
        "Re-enqueued {players} player(s) of {mode}: {cause}",
        "`no_game_server`: see `game_server_missing`. `publish_failed`: look at Redis.",
        page="Kept at their place in {mode}: {players} player(s), {cause}",
    )
    def reenqueued(self, *, mode: str, players: int, cause: str) -> None:
        """A match was wanted and not made; the players keep their place."""

    @fact
    def odd_players(self, *, mode: str, players: int) -> None:
        """So many found nobody while others did, as in every round."""

    @logged(
        WARNING,
        "Poisoned candidate {player_id}: {reason}",
        "`matchkeeper dead-letters list`; mend and requeue, or drop it.",
        page="{player_id} of {mode} was set aside: {reason}",
        told=_without_kind,
    )
    def poisoned(self, *, player_id: str, reason: str, mode: str, kind: Poison) -> None:
        """A ticket cannot be read. It was set aside; everybody else was matched."""

    @logged(
        INFO,
        "Expired in {mode}: {players} player(s)",
        "If more expire while matches do not rise, look at the game servers and at the rules.",
        page="Waited too long in {mode}, and told so: {players} player(s)",
    )
    def expired(self, *, mode: str, players: int) -> None:
        """They waited `max_wait_seconds` and were told `Expired`."""

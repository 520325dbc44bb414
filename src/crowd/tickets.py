"""Who asks to play, and how: one player alone, or a party whose players are at several pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Member(NamedTuple):
    """A player, and the pod that is told of the player."""

    player: str
    pod: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What is asked for at once."""

    mode: str
    members: tuple[Member, ...]
    """The first one's pod sends the requests."""
    party: str = ""
    """Empty: a player alone."""
    by_stream: bool = False

    def enqueue(self, metadata: Mapping[str, object]) -> dict[str, Any]:
        """The request to be queued; `metadata`: player -> what is sent along, an object or its
        text, nothing for who has none.
        """
        said = {"game_mode": self.mode, "pod_id": self.members[0].pod}
        if not self.party:
            player = self.members[0].player
            return {**said, "player_id": player, "metadata": metadata.get(player, {})}
        players = [
            {"player_id": player, "pod_id": pod, "metadata": metadata.get(player, {})}
            for player, pod in self.members
        ]
        return {**said, "party_id": self.party, "players": players}

    def dequeue(self, by: Member | None = None) -> dict[str, Any]:
        """The request to leave: of a party one of its players, or all as one."""
        who = by or self.members[0]
        said = {"game_mode": self.mode, "pod_id": who.pod}
        if self.party and by is None:
            return {**said, "party_id": self.party}
        return {**said, "player_id": who.player}

    def asked(self, word: str, by: Member | None = None) -> Iterator[dict[str, Any]]:
        """The fields of the events that say so: one for each player who asks."""
        players = tuple(player for player, _ in self.members)
        for player, pod in self.members if by is None else [by]:
            yield {
                "who": pod,
                "player": player,
                "mode": self.mode.lower(),
                "word": word,
                "by_stream": self.by_stream,
                "party": self.party,
                "together": players if self.party and word == "enqueue" else (),
            }

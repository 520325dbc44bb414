"""What was seen of the program, of the servers and of the other game server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from crowd import wire
from crowd.history import Event, History, What
from matchkeeper.conformance.tap import Names, Said
from matchkeeper.conformance.texts import fields_of, handoff_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One hand-out of a match."""

    match: str
    epoch: int
    players: frozenset[str]
    text: bytes


@dataclass(slots=True, kw_only=True)
class Record:
    """Everything, in the order in which it was seen; the history is for the judge."""

    names: Names
    clock: Callable[[], float]
    history: History = field(default_factory=History)
    offers: list[Offer] = field(default_factory=list)
    answers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(pod, what came of a message about a match)."""
    said: list[Said] = field(default_factory=list)
    """What the program asked for."""
    reached: list[dict[str, Any]] = field(default_factory=list)
    """Answers that reached the program."""
    started: list[str] = field(default_factory=list)
    """Matches that the program says it starts."""
    unasked: list[str] = field(default_factory=list)
    """Of these, those of which it did not have the last word."""
    told: list[tuple[str, str]] = field(default_factory=list)
    """(player, news) that the program told."""

    def offers_of(self, players: Collection[str]) -> list[Offer]:
        """Hand-outs of matches with one of these players."""
        return [offer for offer in self.offers if not offer.players.isdisjoint(players)]

    def answers_to(self, pod: str, match: str) -> list[dict[str, Any]]:
        """What came of this pod's messages about a match."""
        return [came for who, came in self.answers if who == pod and came["match"] == match]

    def replies_to(self, token: str) -> list[str]:
        """What came of the message with this token."""
        return [came["reply"] for _, came in self.answers if came["token"] == token]

    def program_said(self, said: Said) -> None:
        """The program asks for something; Redis does not know yet."""
        self.said.append(said)
        if said.kind in ("enqueue", "dequeue"):
            self._see(
                What.ASKED,
                who=str(said.body.get("pod_id", self.names.pod)),
                player=str(said.body.get("player_id", "")),
                mode=str(said.body.get("game_mode", "")).lower(),
                word=said.kind,
                by_stream=said.by_stream,
            )
        elif said.kind in ("confirm", "start"):
            match = str(said.body.get("match_id", ""))
            self._see(What.CONFIRMING, who=self.names.pod, match=match)

    def program_heard(self, answer: dict[str, Any]) -> None:
        """An answer is about to reach the program."""
        self.reached.append(answer)

    def program_wrote(self, line: dict[str, Any]) -> None:
        """The program says what it does."""
        if isinstance(match := line.get("started"), str):
            granted = self._granted(match)
            self.started.append(match)
            if not granted:
                self.unasked.append(match)
            epoch = granted or self._last_epoch(match)
            self._see(What.STARTED, who=self.names.pod, match=match, epoch=epoch)
        elif isinstance(player := line.get("told"), str):
            self.told.append((player, str(line.get("news", ""))))

    def heard(self, channel: str, payload: bytes) -> None:
        """What everybody may hear on the channels of servers."""
        message = fields_of(payload)
        if message is None:
            return
        try:
            if channel == self.names.battle:
                self._offered(message, payload)
            else:
                self._answered(channel.split(":")[1], message)
        except (KeyError, TypeError, AttributeError):
            return  # no message of a server: evenings send such on purpose

    def _offered(self, message: dict[str, Any], payload: bytes) -> None:
        event = wire.offered(self.clock(), self.names.pod, message)
        players = frozenset(player for player, _ in event.players)
        self.history.see(event)
        self.offers.append(
            Offer(match=event.match, epoch=event.epoch, players=players, text=payload)
        )

    def _answered(self, pod: str, message: dict[str, Any]) -> None:
        came = handoff_in(message)
        if not came:
            player, result = message["player_id"], message["result_type"]
            self.history.see(wire.told(self.clock(), pod, player, result))
            return
        came = {**came, "match": message["match_id"]}
        self.answers.append((pod, came))
        about = {"who": pod, "match": came["match"], "epoch": came["epoch"]}
        reply = came["reply"]
        if reply == "claimed" or (reply, came["kind"]) == ("started", "start"):
            self._see(What.CLAIMED, **about)
        if reply == "started" and pod != self.names.pod:
            self._see(What.STARTED, **about)

    def _granted(self, match: str) -> int:
        """The epoch under which the program was told that it starts a match; 0: it was not."""
        for answer in self.reached:
            came = handoff_in(answer)
            if answer.get("match_id") == match and came.get("reply") == "started":
                return int(came["epoch"]) if came.get("kind") in ("confirm", "start") else 0
        return 0

    def _last_epoch(self, match: str) -> int:
        for said in reversed(self.said):
            if said.body.get("match_id") == match and isinstance(said.body.get("epoch"), int):
                return int(said.body["epoch"])
        return max((offer.epoch for offer in self.offers if offer.match == match), default=1)

    def _see(self, what: What, **fields: Any) -> None:
        self.history.add(what, self.clock(), **fields)

    def events_of(self, players: Collection[str]) -> Iterator[Event]:
        """What happened to some players and in their matches."""
        matches = {offer.match for offer in self.offers_of(players)}
        for event in self.history:
            if event.player in players or event.match in matches:
                yield event

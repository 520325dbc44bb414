"""What Redis itself would let through: the bytes of the server, sent by a client with no logic.

The commands are made beforehand by the server's own code, which is given a connection that only
writes them down. Making them is not timed; sending them and Redis's work is.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from bench.players import body
from bench.raw import Line, replies_while
from bench.site import TAG, Site
from crowd.wire import packed
from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.mode import GameMode, Handoff
from matchkeeper.domain.realm import QueueName
from matchkeeper.domain.ticket import Member, Ticket
from matchkeeper.handoff.offers import new_match
from matchkeeper.matching.first_come import first_come_first_served
from matchkeeper.store import keys
from matchkeeper.store.asked import enqueue
from matchkeeper.store.committing import commit
from matchkeeper.store.durability import Durability
from matchkeeper.store.handoffs import Handed, Handoffs, handoff
from matchkeeper.store.matches import MatchStore
from matchkeeper.store.pages import scan
from matchkeeper.store.scripts import Call
from matchkeeper.store.stream import Entry
from matchkeeper.store.tickets import Heard, TicketStore
from matchkeeper.wire.handoffs import HANDOFF, HandoffKind, HandoffRequest
from matchkeeper.wire.metadata import metadata_sum
from matchkeeper.wire.requests import RequestKind, decode

_ME = "bench"
_REQUESTS = "match:enqueue:request"
_QUEUE = QueueName.of(TAG)
_ANSWERS = ("pod:", ":match_result")
_AHEAD = 8
_PAGE = 2000
_COMMIT: int = MatchmakingSettings.model_fields["commit_batch_size"].default
"""Matches in one call, as the server makes them."""


@dataclass(slots=True)
class _Recorder:
    """Takes the place of a connection to Redis, and writes down what would be sent."""

    commands: list[bytes] = field(default_factory=list)
    memory_ms: int = 120_000
    options: Any = field(default_factory=lambda: SimpleNamespace(durability=Durability()))
    count: int = 0
    """The number of requests or proposals in the next call."""

    async def script(self, call: Call[Any], **_: object) -> Any:
        """Like that of a connection; the reply is one that always fits."""
        self.commands.append(packed(*call.command))
        if call.script is enqueue:
            return call.script.reads([0, *[b"queued", b"1.0"] * self.count])
        if call.script is handoff:
            return call.script.reads([b"claimed"] * self.count)
        return call.script.reads([b"committed", b"1"] * self.count)


class Ceiling:
    """One run without a server. Game servers claim as they always do; what a server would do with
    that is sent behind each commit, whatever they have written by then.
    """

    def __init__(self, site: Site, *, stream: bool, claims: bool, batch: int) -> None:
        self._site = site
        self._line = site.line()
        self._stream = stream
        self._batch = batch
        self._mode = GameMode(name="Duel", handoff=Handoff.CLAIM if claims else Handoff.PUBLISH)
        for script in (enqueue, scan, commit, handoff):
            self._line.ask("SCRIPT", "LOAD", script.source)
        if stream:
            self._line.ask("XGROUP", "CREATE", "match:requests", "matchkeeper", "0", "MKSTREAM")

    def run(self, players: Sequence[str]) -> float:
        """Seconds for all of these players, from the request to the started match."""
        taken_in = self._take_in(players)
        return taken_in + self._match()

    def _take_in(self, players: Sequence[str]) -> float:
        batches = [players[at : at + self._batch] for at in range(0, len(players), self._batch)]
        entries: list[list[str]] = [[""] * len(each) for each in batches]
        if self._stream:
            found = self._line.ask("XRANGE", "match:requests", "-", "+")
            ids = iter([entry[0].decode() for entry in found])
            entries = [[next(ids) for _ in each] for each in batches]
        enqueues = asyncio.run(_enqueues(batches, entries))
        if self._stream:
            read = packed(
                *("XREADGROUP", "GROUP", "matchkeeper", _ME, "COUNT", self._batch),
                *("STREAMS", "match:requests", ">"),
            )
            return self._timed([(read + each, 2) for each in enqueues])
        heard = [b"".join(map(_published, batch)) for batch in batches]
        # The players who ask hear the answers too, as beside a server.
        with self._site.line() as server:
            server.send(packed("SUBSCRIBE", _REQUESTS, "pod:pod:match_result"))
            server.replies(2)
            commands = zip(heard, enqueues, batches, strict=True)
            return self._timed(
                [(news + each, len(batch) + 1) for news, each, batch in commands], server
            )

    def _timed(self, commands: list[tuple[bytes, int]], server: Line | None = None) -> float:
        """Seconds. `server` hears what is published, as a server would."""
        begun = time.monotonic()
        replies_while(self._line, _heard_by(server, commands), ahead=_AHEAD * commands[0][1])
        return time.monotonic() - begun

    def _match(self) -> float:
        entries = self._line.ask("ZRANGE", f"queue:{{{TAG}}}", 0, -1, "WITHSCORES")
        texts = self._line.ask("HGETALL", f"metadata:{{{TAG}}}")
        sums = {p: metadata_sum(text) for p, text in zip(texts[::2], texts[1::2], strict=True)}
        tickets = [
            Ticket(
                ticket_id=player.decode(),
                members=(Member(player.decode(), "pod"),),
                enqueued_at=float(score),
                metadata_sum=sums[player],
            )
            for player, score in zip(entries[::2], entries[1::2], strict=True)
        ]
        pages = asyncio.run(_commits(self._mode, tickets))
        reads = packed(
            *("XREADGROUP", "GROUP", "matchkeeper", _ME, "COUNT", self._batch),
            *("STREAMS", "match:requests", ">"),
        )
        if self._mode.handoff is Handoff.CLAIM:
            pages = [[each for data in page for each in (reads, data)] for page in pages]
        read = packed(*scan(queue=self._mode.queue, first=0, count=_PAGE).command)
        begun = time.monotonic()
        commands = ((data, 1) for page in pages for data in (read, *page))
        replies_while(self._line, commands, ahead=_AHEAD)
        while self._line.ask("ZCARD", f"pending:{{{TAG}}}"):
            time.sleep(0.001)
        return time.monotonic() - begun


def _published(player: str) -> bytes:
    return packed("PUBLISH", _REQUESTS, body(player))


def _heard_by(
    server: Line | None, commands: Iterable[tuple[bytes, int]]
) -> Iterator[tuple[bytes, int]]:
    for command in commands:
        yield command
        while server is not None and select.select([server.socket], [], [], 0)[0]:
            server.ready()


async def _enqueues(batches: Sequence[Sequence[str]], entries: list[list[str]]) -> list[bytes]:
    recorder = _Recorder()
    store = TicketStore(
        recorder,  # type: ignore[arg-type]  # as good as one
        queues=(_QUEUE,),
        channel=_ANSWERS,
    )
    for batch, ids in zip(batches, entries, strict=True):
        recorder.count = len(batch)
        heard = [_heard(player, entry) for player, entry in zip(batch, ids, strict=True)]
        await store.enqueue(_QUEUE, heard)
    return recorder.commands


def _heard(player: str, entry: str) -> Heard:
    request = decode(RequestKind.ENQUEUE, body(player).encode(), max_bytes=10_000)
    return Heard(
        request=replace(request, fingerprint=f"{hash(player):032x}"[-32:]),
        token=f"{hash(player):016x}"[-16:],
        entry=Entry(
            stream=keys.requests(), entry_id=entry, kind="enqueue", body=b"", group=keys.GROUP
        )
        if entry
        else None,
    )


def _handed(kind: HandoffKind, match_id: str) -> Handed:
    return Handed(
        request=HandoffRequest(
            kind=kind, pod_id="pod", game_mode=TAG, match_id=match_id, epoch=1, token=kind
        ),
        entry=Entry(
            stream=keys.requests(), entry_id="0-1", kind=HANDOFF, body=b"", group=keys.GROUP
        ),
    )


async def _commits(mode: GameMode, tickets: Sequence[Ticket]) -> list[list[bytes]]:
    """The commands for each page of the queue."""
    pages: list[list[bytes]] = []
    for first in range(0, len(tickets), _PAGE):
        recorder = _Recorder()
        store = MatchStore(recorder, queues=(_QUEUE,))  # type: ignore[arg-type]  # as good as one
        pairing = first_come_first_served(
            tickets[first : first + _PAGE], required_players=2, teams=2
        )
        matches = [
            new_match(
                proposal,
                mode,
                match_id=f"m-{proposal.tickets[0].ticket_id}",
                claim_within_seconds=5,
                result_channel=lambda pod: f"pod:{pod}:match_result",
            )
            for proposal in pairing.proposals
        ]
        for at in range(0, len(matches), _COMMIT):
            some = matches[at : at + _COMMIT]
            recorder.count = len(some)
            await store.commit(
                mode,
                some,
                channel="battle:request",
                offer_timeout=timedelta(seconds=5),
                memory=timedelta(seconds=120),
            )
            if mode.handoff is Handoff.CLAIM:
                handoffs = Handoffs(recorder, channel=_ANSWERS)  # type: ignore[arg-type]  # as good as one
                for kind in (HandoffKind.CLAIM, HandoffKind.CONFIRM):
                    await handoffs.do(_QUEUE, [_handed(kind, each.match_id) for each in some])
        pages.append(recorder.commands)
    return pages

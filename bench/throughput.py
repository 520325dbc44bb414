"""How many players a second go from their request to a started match."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.ceiling import Ceiling
from bench.players import body, fill_stream, names
from bench.raw import Line
from bench.site import TAG, Site, opened
from crowd.wire import packed
from matchkeeper.config import MatchmakingSettings

_PATIENCE_SECONDS = 300.0
_OPEN = 2_000
"""Requests by Pub/Sub that may be unanswered: what nobody takes in is dropped."""
_FILLED = 10_000
_CHUNK = 100
BATCH: int = MatchmakingSettings.model_fields["ingest_batch_size"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """One run."""

    players: int
    claims: bool
    seconds: float
    server_cpu_seconds: float
    redis_cpu_seconds: float
    redis_commands: Counter[str]
    traffic_bytes: int
    """Through Redis, in and out, of everybody."""

    @property
    def rate(self) -> float:
        """Players a second."""
        return self.players / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How players come in and matches go out."""

    players: int
    stream: bool
    """Players come by stream; else by Pub/Sub."""
    claims: bool
    """Matches are claimed; else they are only published."""


def with_server(folder: Path, way: Way) -> Throughput:
    """Everybody asks at once; the time is that from the first answer to the last start."""
    with opened(folder) as site:
        mode = {"game_mode": "Duel", "handoff": "claim" if way.claims else "publish"}
        who = names(way.players)
        if way.stream:
            with site.line() as line:
                fill_stream(line, who)
        pod = site.pod(claims=way.claims)
        before, bytes_before = site.calls(), site.traffic_bytes()
        server, _ = site.server([mode], MATCHMAKING__OFFER_TIMEOUT_SECONDS=60)
        if not way.stream:
            _publish(site, who)
        await_all(site)
        seen = pod.end()
        _check(seen, way)
        return Throughput(
            players=way.players,
            claims=way.claims,
            seconds=seen["last"] - seen["first"],
            server_cpu_seconds=server.cpu_seconds(),
            redis_cpu_seconds=site.valkey.cpu_seconds(),
            redis_commands=site.calls() - before,
            traffic_bytes=site.traffic_bytes() - bytes_before,
        )


def ceiling(folder: Path, way: Way) -> float:
    """Players a second of the same work without a server."""
    with opened(folder) as site:
        pod = site.pod(claims=way.claims)
        who, seconds = names(way.players), 0.0
        run = Ceiling(site, stream=way.stream, claims=way.claims, batch=BATCH)
        for first in range(0, way.players, _FILLED):
            some = who[first : first + _FILLED]
            if way.stream:
                with site.line() as line:
                    fill_stream(line, some)
            seconds += run.run(some)
        _check(pod.end(), way)
        return way.players / seconds


def _publish(site: Site, who: list[str]) -> None:
    """Publishes requests as fast as they are answered."""
    commands = [packed("PUBLISH", "match:enqueue:request", body(player)) for player in who]
    chunks = [commands[at : at + _CHUNK] for at in range(0, len(commands), _CHUNK)]
    with site.line() as hears, site.line() as speaks:
        hears.send(packed("SUBSCRIBE", "pod:pod:match_result"))
        hears.replies(1)
        open_ = 0
        for chunk in chunks:
            while open_ > _OPEN:
                open_ -= sum(b'"EnQueued"' in push[2] for push in hears.ready())
            speaks.send(b"".join(chunk))
            speaks.replies(len(chunk))
            open_ += len(chunk)


def await_all(site: Site, *, but: int = 0) -> None:
    """Returns once all but `but` players are matched and all matches are over."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with site.line() as line:
        while sum(_left(line)) > but:
            if time.monotonic() > deadline:
                raise TimeoutError(f"left in stream, queue and pending: {_left(line)}")
            time.sleep(0.05)


def _left(line: Line) -> list[int]:
    return [
        line.ask("XLEN", "match:requests"),
        line.ask("ZCARD", f"queue:{{{TAG}}}"),
        line.ask("ZCARD", f"pending:{{{TAG}}}"),
    ]


def _check(seen: dict[str, Any], way: Way) -> None:
    """The figures count only if everybody was told everything."""
    players = way.players
    told = (seen["queued"], seen["found"], 2 * seen["offers"], seen["other"])
    if told != (players, players, players, 0) or (way.claims and 2 * seen["started"] != players):
        counts = {name: seen[name] for name in ("queued", "found", "offers", "started", "other")}
        raise AssertionError(f"of {players} players: {counts}")

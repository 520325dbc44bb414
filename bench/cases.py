"""The cases: what is run, and what it must reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench import latency, parties, rounds, throughput, upkeep

_MS = 1000.0
_WANTED = 40_000.0
"""Players a second; asked for only where seven tenths of the ceiling are as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    values: Sequence[float]
    """The figures of all runs."""
    unit: str
    target: str = ""
    met: bool | None = None
    ceiling: float | None = None
    """What Redis alone lets through, in the same unit, from the same run."""
    ratio: float | None = None
    """The ratio of figure and ceiling, run by run; the median."""

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much of everything."""

    runs: int = 3
    players: int = 100_000
    seconds: float = 8
    rates: tuple[float, ...] = (1_000, 4_000, 10_000)
    lengths: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    passed: int = 500_000
    idle_seconds: float = 10
    evening: int = 4_000
    """Tickets that arrive in simulated time."""


FULL = Amount(evening=20_000, seconds=60, rates=(1_000, 10_000), passed=10_000_000, idle_seconds=20)
QUICK = Amount(
    runs=1, players=20_000, seconds=5, rates=(500, 1_000), lengths=(1_000, 10_000),
    passed=40_000, idle_seconds=5, evening=2_000,
)  # fmt: skip


@dataclass(slots=True)
class Bench:
    """One run of the cases. `raw`: everything that was measured, for the JSON and the plots."""

    folder: Path
    amount: Amount
    show: Callable[[str], None]
    raw: dict[str, list[Any]] = field(default_factory=dict)
    _places: int = 0

    def _place(self) -> Path:
        self._places += 1
        return self.folder / str(self._places)

    def _note(self, case: str, found: object) -> None:
        self.raw.setdefault(case, []).append(msgspec.to_builtins(found))

    def throughput(self) -> Iterator[Row]:
        """First come, first served, all answers sent."""
        for name, stream, claims in (
            ("stream in, claimed", True, True),
            ("Pub/Sub in, published", False, False),
        ):
            rates, ceilings, ratios = [], [], []
            for run in range(self.amount.runs):
                self.show(f"throughput, {name}: {run + 1} of {self.amount.runs}")
                way = throughput.Way(players=self.amount.players, stream=stream, claims=claims)
                ceilings.append(throughput.ceiling(self._place(), way))
                found = throughput.with_server(self._place(), way)
                rates.append(found.rate)
                ratios.append(found.rate / ceilings[-1])
                self._note(f"throughput, {name}", found)
                self._note(f"ceiling, {name}", ceilings[-1])
            yield Row(
                name=f"throughput, {name}",
                values=rates,
                unit="players/s",
                ceiling=median(ceilings),
                ratio=median(ratios),
                target="0.7 of the ceiling, 40,000 where it allows",
                met=median(ratios) >= 0.7 and median(rates) >= min(_WANTED, 0.7 * median(ceilings)),
            )

    def latency(self) -> Iterator[Row]:
        """From a request to the battle request."""
        for way, stream in (("stream", True), ("Pub/Sub", False)):
            for rate in self.amount.rates:
                yield from self._latency(way, rate, stream=stream)

    def _latency(self, way: str, rate: float, *, stream: bool) -> Iterator[Row]:
        found = []
        for run in range(self.amount.runs):
            self.show(f"latency at {rate:,.0f} players/s, {way}: {run + 1} of {self.amount.runs}")
            found.append(
                latency.at(self._place(), rate=rate, seconds=self.amount.seconds, stream=stream)
            )
            self._note("latency", found[-1])
        name = f"{way}, {rate:,.0f} players/s"
        yield _limited(f"latency, {name}, median", "ms", [_MS * x.median_seconds for x in found], 5)
        yield _limited(f"latency, {name}, p99", "ms", [_MS * x.p99_seconds for x in found], 25)
        claims = [_MS * x.claim_median_seconds for x in found if x.claim_median_seconds is not None]
        if claims:
            yield _limited(f"offer to claimed, {name}, median", "ms", claims, 5)
        yield _limited(f"PING, {name}, p99", "ms", [_MS * x.ping_p99_seconds for x in found], 10)
        shares = [100 * x.slow_scripts / x.calls for x in found]
        yield _limited(f"calls over 5 ms, {name}", "%", shares, 1)
        for who, cores in (
            ("server", [each.server_cores for each in found]),
            ("Valkey", [each.redis_cores for each in found]),
        ):
            yield Row(name=f"CPU of the {who}, {name}", values=cores, unit="cores")

    def rounds(self) -> Iterator[Row]:
        """Closest ratings, by the length of the queue."""
        limits = {1_000: 2.0, 100_000: 150.0, 1_000_000: 2_000.0}
        for matchable in (False, True):
            curve = []
            who = "everybody" if matchable else "nobody"
            for length in self.amount.lengths:
                self.show(f"a round over {length:,} tickets, {who} matchable")
                found = rounds.of(self._place(), tickets=length, matchable=matchable)
                self._note("round", found)
                curve.append(found)
                name = f"a round over {length:,}, {who} matchable"
                times = [_MS * each for each in found.seconds]
                yield _limited(name, "ms", times, limits.get(length))
                if matchable:
                    yield Row(name=f"its commits, {name}", values=[found.commit_seconds], unit="s")
                if length >= 10_000:
                    yield _limited(f"lag, {name}", "ms", [_MS * found.lag_seconds], 50)
                    yield _limited(f"PING, {name}", "ms", [_MS * found.ping_p99_seconds], 10)
                held = [found.server_bytes / length]
                if length >= 100_000:
                    yield _limited(f"memory, {name}", "bytes/ticket", held, 1024)
            grows = [rounds.exponent(curve)]
            yield _limited(f"growth of a round, {who} matchable", "exponent", grows, 1.15)

    def parties(self) -> Iterator[Row]:
        """How long parties wait, in multiples of what lone players wait."""
        for rated in (False, True):
            for name, mix in parties.MIXES.items():
                self.show(f"parties, {name}")
                evenings = [
                    parties.evening(
                        parties.mode(rated=rated), mix=mix, rate=rate, tickets=self.amount.evening
                    )
                    for rate in parties.RATES
                ]
                self._note("parties", [rated, name, evenings])
                who = f"parties, {'closest ratings' if rated else 'first come'}, {name}"
                ratios = [each.mean(size) / each.mean(1) for each in evenings for size in mix]
                late = [each.late(size) / each.late(1) for each in evenings for size in mix]
                yield _limited(f"{who}, mean", "of lone players'", [max(ratios)], 2)
                yield _limited(f"{who}, p95", "of lone players'", [max(late)], 2)

    def upkeep(self) -> Iterator[Row]:
        """Idle, start, memory over time."""
        self.show("an idle server with 10 queues")
        found = [
            upkeep.idle(self._place(), queues=10, seconds=self.amount.idle_seconds)
            for _ in range(self.amount.runs)
        ]
        for each in found:
            self._note("idle", each)
        yield _limited("idle, 10 queues", "% of a core", [100 * each.cores for each in found], 1)
        yield _limited("start to ready", "s", [each.start_seconds for each in found], 1)
        helps = [upkeep.help_seconds() for _ in range(max(3, self.amount.runs))]
        yield _limited("matchkeeper --help", "s", helps, 0.3)
        self.show(f"{self.amount.passed:,} players pass through")
        passed = upkeep.flow(self._place(), players=self.amount.passed, steps=10)
        self._note("flow", passed)
        grown = 100 * (passed.bytes[-1] / passed.bytes[0] - 1)
        yield _limited(f"memory grown over {self.amount.passed:,} players", "%", [grown], 10)


def _limited(name: str, unit: str, values: Sequence[float], limit: float | None) -> Row:
    """A figure that must not be larger."""
    if limit is None:
        return Row(name=name, values=values, unit=unit)
    return Row(
        name=name, values=values, unit=unit, target=f"≤ {limit:g}", met=median(values) <= limit
    )

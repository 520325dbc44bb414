"""What the live page is told: the memory of the board, its figures, its sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from matchkeeper.config import GameModeSettings, MatchmakingSettings
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Ticket
from matchkeeper.handoff.decide import Cause
from matchkeeper.handoff.pods import PodRecords
from matchkeeper.observe.board import figures
from matchkeeper.observe.board.recorder import Board
from matchkeeper.observe.board.snapshot import Now, Snapshot, curves, snapshot
from matchkeeper.observe.board.stream import EventStream, said
from matchkeeper.observe.facts import ALL, Fact, Facts, Fields
from matchkeeper.observe.facts.handoff import Claimed, Started
from matchkeeper.observe.log import Log
from matchkeeper.server.http.pages import FOLDER as PAGE
from matchkeeper.store.failures import Outcome
from matchkeeper.store.happenings import Happening
from tests.support.tickets import lone

NORMAL = GameMode(name="Normal")
RANKED = GameModeSettings(game_mode="Ranked", use_mmr_matching=True).to_domain(
    max_metadata_bytes=65_536
)
NOW = Now(
    phase="running",
    version="1",
    breaker="closed",
    breaker_failures=0,
    seconds_until_probe=0.0,
    redis_problem="",
    not_ready=(),
    game_server_failures=0,
    heartbeats={},
    silent=frozenset(),
    left=frozenset(),
    unclaimed={},
    not_started={},
    demo=False,
)


class World:
    """A board, fed as the server feeds it, and its time."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.board = Board(clock=lambda: self.at, wall=lambda: 1_700_000_000 + self.at)
        self.facts = Facts(self.board.hears())
        for mode in (NORMAL, RANKED):
            self.facts.mode_served(mode=mode.name, required_players=mode.required_players)

    def matched(self, mode: GameMode, waits_seconds: Sequence[float], *tickets: Ticket) -> None:
        match: Any = SimpleNamespace(match=SimpleNamespace(tickets=tickets))
        self.facts.match_committed(mode=mode, made=[match], waits_seconds=waits_seconds)

    def claimed(self, pod_id: str, seconds: float) -> None:
        self.facts.match_claimed(
            mode="Normal", matches=[Claimed("m", pod_id, seconds)], waits_seconds=()
        )

    def operated(self, outcome: Outcome, seconds: float = 0.0, error: str = "") -> None:
        self.facts.redis_operation(operation="read", outcome=outcome, seconds=seconds, error=error)

    def kept(self, cause: str, players: int) -> None:
        self.facts.reenqueued(mode="Normal", players=players, cause=cause)

    def dead(self, *newest: float) -> None:
        self.facts.dead_letters(mode="Ranked", length=1, newest=newest)

    def look(self, now: Now = NOW) -> Snapshot:
        return snapshot(self.board, (NORMAL, RANKED), now)

    def pass_by(self, seconds: float) -> None:
        """Time goes on, and the board's loop with it."""
        end = self.at + seconds
        while self.at < end:
            self.at = min(end, self.at + 2)
            self.board.settle()
            self.board.sample()


def ticket(player: str, pod: str = "a", rating: float | None = None) -> Ticket:
    return lone(player, pod, rating=rating)


def test_quantiles_are_values_that_were_there() -> None:
    assert figures.quantile([], 0.5) is None
    assert figures.quantile([1, 2, 3, 4], 0.5) == 2
    assert figures.quantile(list(range(1, 101)), 0.95) == 95
    assert figures.quantile([7], 0.95) == 7


def test_every_difference_is_in_one_bin() -> None:
    bins = figures.histogram([0, 24.9, 25, 499, 500, 9000])
    assert sum(count for _, _, count in bins) == 6
    assert bins[0] == (0, 25, 2)
    assert bins[1] == (25, 50, 1)
    assert bins[-1] == (500, None, 2)
    assert all(one[1] == other[0] for one, other in pairwise(bins))


def test_waits_of_recent_matches_only() -> None:
    world = World()
    world.matched(NORMAL, [900.0, 900.0])
    world.at += 301
    for seconds in (1.0, 2.0, 3.0):
        world.matched(NORMAL, [seconds, seconds])
    waits = world.look().queues[0].waits
    assert (waits.players, waits.median, waits.p95) == (6, 2.0, 3.0)


def test_matches_a_minute_are_those_of_the_last_minute() -> None:
    world = World()
    for _ in range(30):
        world.pass_by(10)
        world.matched(NORMAL, [1.0, 1.0])
    assert world.look().queues[0].matches_a_minute == pytest.approx(6, abs=1)
    assert world.look().queues[0].matches == 30
    world.pass_by(120)
    assert world.look().queues[0].matches_a_minute == 0


def test_the_hour_has_gaps_where_redis_could_not_be_read_and_ends() -> None:
    world = World()
    for second in range(0, 7300, 10):
        if not 3900 <= second < 4200:
            world.facts.queue_read(mode="Normal", length=second)
        world.pass_by(10)
    (points, _) = (curve.points for curve in curves(world.board))
    assert len(points) in (360, 361)
    assert 3590 <= points[0][0] <= 3600
    assert points[-1][0] < 10
    assert points[-1][1] == 7290
    gap = [ago for ago, waiting in points if waiting is None]
    assert len(gap) == pytest.approx(29, abs=1)


def test_differences_and_offers_are_counted_when_they_are_looked_at() -> None:
    world = World()
    world.matched(RANKED, [], ticket("p1", "a", 1400.0), ticket("p2", "b", None))
    world.matched(NORMAL, [], ticket("p3", "a", 1.0), ticket("p4", "a", 900.0))
    look = world.look()
    assert look.queues[0].differences is None
    assert look.queues[1].differences is not None
    assert [each for each in look.queues[1].differences if each[2]] == [(100, 150, 1)]
    assert [(pod.pod_id, pod.offers) for pod in look.pods] == [("a", 2), ("b", 1)]
    assert world.look().pods[0].offers == 2


def test_pods_are_bounded_and_told_with_what_is_known_of_them() -> None:
    world = World()
    for number in range(500):
        world.claimed(f"pod-{number}", 0.2)
    assert len(world.board.pods) == 200
    look = world.look(replace(NOW, unclaimed={"new": 2}, not_started={"a-hole": 3}))
    assert (len(look.pods), look.pods_left_out) == (100, 102)
    assert (look.pods[0].not_started, look.pods[1].unclaimed_in_a_row) == (3, 2)
    assert [each.title for each in look.problems] == ["a-hole claims matches and starts none"]
    msgspec.json.encode(look)


def test_a_pod_with_all_that_is_known_of_it() -> None:
    world = World()
    for seconds in (0.2, 0.4, 0.9):
        world.claimed("a", seconds)
    world.facts.match_declined(pod_id="a")
    now = replace(NOW, heartbeats={"a": 3.0, "\udcff": 1.0}, silent=frozenset({"a"}))
    pod, foreign = world.look(now).pods
    assert (pod.claims, pod.claim_median, pod.declines, pod.silent) == (3, 0.4, 1, True)
    assert pod.seen_seconds_ago == 3.0
    assert foreign.pod_id == "\\udcff"


def test_pods_that_said_bye_have_left_and_make_room() -> None:
    at = [0.0]
    pods = PodRecords(MatchmakingSettings(), clock=lambda: at[0])
    world = World()
    for number in range(200):
        world.claimed(f"pod-{number:03}", 0.1)
    pods.heard(dict.fromkeys((f"pod-{number:03}" for number in range(200)), 1.0))
    pods.heard({f"pod-{number}": 1.0 for number in range(120, 200)})

    def shown() -> dict[str, bool]:
        now = replace(NOW, heartbeats=pods.heartbeats(), left=pods.left)
        return {each.pod_id: each.left for each in world.look(now).pods}

    assert shown() == {
        **{f"pod-{number}": False for number in range(120, 200)},
        **{f"pod-{number:03}": True for number in range(20)},
    }
    pods.heard({"pod-000": 1.0})
    assert shown()["pod-000"] is False, "it is back"


def test_players_who_go_back_are_counted_for_an_hour() -> None:
    world = World()
    world.kept("unclaimed", 4)
    world.pass_by(1800)
    world.kept("unclaimed", 2)
    world.kept("no_game_server", 8)
    assert world.look().queues[0].back == {"no_game_server": 8, "unclaimed": 6}
    world.pass_by(1860)
    assert world.look().queues[0].back == {"no_game_server": 8, "unclaimed": 2}
    world.pass_by(1860)
    assert world.look().queues[0].back == {}


def test_redis_by_its_last_minute() -> None:
    world = World()
    world.operated(Outcome.OK, 9.0)
    world.at += 61
    for milliseconds in range(1, 101):
        world.operated(Outcome.OK, milliseconds / 1000)
    world.operated(Outcome.NETWORK, error="cannot reach redis://user:secret@host:1/0")
    redis = world.look().redis
    assert (redis.median, redis.p95, redis.failed_in_a_minute) == (0.05, 0.095, 1)
    assert redis.last_error == "cannot reach redis://********@host:1/0"
    world.at += 61
    assert (world.look().redis.median, world.look().redis.failed_in_a_minute) == (None, 0)


def test_events_that_repeat_are_one_line_with_a_count() -> None:
    at = [0.0]
    stream = EventStream(clock=lambda: at[0], wall=lambda: 100 + at[0])
    for attempts in range(1, 13):
        stream.read(Facts.game_server_missing, {"attempts": attempts, "channel": "c"})
        at[0] += 5
    (line,) = stream.lines()
    assert line.text.startswith("Game Server unavailable for 12 attempts: ")
    assert (line.times, line.row, line.first_at, line.at) == (12, 1, 100, 155)
    at[0] += 300
    stream.read(Facts.game_server_missing, {"attempts": 1, "channel": "c"})
    assert [(each.times, each.row) for each in stream.lines()] == [(1, 13), (12, 1)]
    assert stream.lines()[0].text.startswith("Game Server unavailable for 1 attempt: ")


def test_lines_are_bounded_and_developers_events_are_not_told() -> None:
    stream = EventStream(clock=lambda: 0.0, wall=lambda: 0.0)
    log = Log()
    log.readers.append(stream.read)
    facts = Facts(log.hears())
    for number in range(1000):
        facts.pod_silent(pod_id=str(number))
        facts.match_started(mode="m", matches=[Started("x", "p")])
    assert len(stream.lines()) == 100
    assert stream.lines()[0].text.startswith("Pod 999 ")
    assert len(stream._latest) == 100


def test_one_is_not_many() -> None:
    fields = {"mode": "M", "cause": "declined", "players": 1}
    assert said(Facts.match_given_back, fields).endswith("Back at their place: 1 player")
    assert said(Facts.reenqueued, fields) == "Kept at their place in M: 1 player, declined"
    for fact in (Facts.match_given_back, Facts.reenqueued, Facts.expired):
        assert not re.search(r"1 player \w", said(fact, fields)), "no verb that is of many"


@pytest.mark.parametrize("fact", [each for each in ALL if each.line], ids=lambda each: each.name)
def test_every_line_is_a_sentence_even_with_no_field(fact: Fact[Any]) -> None:
    assert fact.line is not None
    assert said(fact, {})
    names = re.findall(r"{(\w+)", fact.line.page)
    text = said(fact, {**dict.fromkeys(names, "x" * 1000), "url": "redis://u:p@h"})
    assert len(text) <= 301
    assert "{" not in text


def test_lines_are_read_along_whatever_the_level_of_the_log() -> None:
    read: list[tuple[Fact[Any], Fields]] = []
    log = Log()
    log.readers.append(lambda *line: read.append(line))
    facts = Facts(log.hears())
    facts.pod_back(pod_id="a")
    facts.match_started(mode="m", matches=[Started("1", "a")])
    facts.claim_refused(step="claim", code="gone", match_id="1", pod_id="a", mode="m")
    told = {"step": "claim", "code": "gone", "match_id": "1", "pod_id": "a"}
    assert read == [(Facts.pod_back, {"pod_id": "a"}), (Facts.claim_refused, told)]


def test_facts_come_from_the_board() -> None:
    world = World()
    world.dead(world.board.wall() - 599)
    world.facts.subscribers(count=0)
    for _ in range(240):
        world.facts.loop_lagged(seconds=0.5)
    for _ in range(3):
        world.operated(Outcome.NETWORK, error="x")
    names = [each.name for each in world.look().problems]
    assert names == ["redis_failing", "lag", "no_subscriber", "poisoned Ranked"]
    world.at += 1
    world.operated(Outcome.OK, 0.1)
    world.dead(world.board.wall() - 3600)
    requeued = [each.name for each in world.look().problems]
    assert requeued == ["lag", "no_subscriber"], "an older dead letter is left"
    world.dead(world.board.wall())
    world.at += 601
    assert [each.name for each in world.look().problems] == ["lag", "no_subscriber"]


def test_the_page_has_words_for_all_that_can_happen_to_a_player() -> None:
    words = (PAGE / "search.js").read_text("utf-8")
    for each in Happening:
        assert f"  {each.value}: (e) =>" in words


def test_the_page_has_words_for_every_cause() -> None:
    words = (PAGE / "queues.js").read_text("utf-8")
    for cause in Cause:
        assert (f"  {cause.value}: " in words) is (cause is not Cause.ODD_PLAYER)
    world = World()
    world.facts.odd_players(mode="Normal", players=10_652)
    assert world.look().queues[0].back == {}, "one too many at each round is no news"

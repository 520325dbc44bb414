"""The demo's decisions: who comes when, who is lost, who may press."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from datetime import timedelta
from functools import partial
from io import StringIO

import pytest
from rich.console import Console

from matchkeeper.cli.demo.browser import there_is_a_screen
from matchkeeper.cli.demo.controls import Board, Control, Controls, Figures, Kind
from matchkeeper.cli.demo.day import Day, share_of_peak
from matchkeeper.cli.demo.ledger import Fate, Ledger, Stay
from matchkeeper.cli.demo.lookout import unheard_end
from matchkeeper.cli.demo.routes import press_problem
from matchkeeper.cli.demo.view import Snapshot, line, render
from matchkeeper.cli.demo.world import in_words, parties_of
from matchkeeper.domain.mode import GameMode
from matchkeeper.errors import NotFoundError
from matchkeeper.operate.operator import QueueState
from matchkeeper.wire.answers import decode_battle_request

NORMAL = GameMode(name="Normal")
BRIEF = GameMode(name="Brief", max_wait=timedelta(seconds=60))
DAY = Day(peak_per_second=50, seconds=300)
MINUTES = [minute / 60 for minute in range(24 * 60)]


def test_the_day_has_a_quiet_night_and_an_evening_peak() -> None:
    shares = {hour: share_of_peak(hour) for hour in MINUTES}
    assert 19 <= max(shares, key=shares.__getitem__) <= 22
    assert 3 <= min(shares, key=shares.__getitem__) <= 7
    assert max(shares.values()) == pytest.approx(1)
    assert 0 < min(shares.values()) < 0.15
    assert shares[13.0] > 1.5 * shares[9.0]


def test_the_day_is_smooth_and_begins_where_it_ends() -> None:
    steps = [abs(share_of_peak(hour + 1 / 60) - share_of_peak(hour)) for hour in MINUTES]
    assert max(steps) < 0.01
    assert share_of_peak(0) == pytest.approx(share_of_peak(24))


def test_a_day_takes_as_long_as_it_is_told() -> None:
    begin = DAY.hour(0)
    assert DAY.hour(300) == pytest.approx(begin)
    assert DAY.hour(150) == pytest.approx((begin + 12) % 24)


def test_as_many_players_come_in_each_hour_as_the_curve_says_day_after_day() -> None:
    in_a_day = 50 * 300 * statistics.mean(share_of_peak(hour) for hour in MINUTES)
    come = [DAY.until(number) for number in range(round(3 * in_a_day))]
    assert come == sorted(come)
    assert come[0] == 0
    assert come[-1] == pytest.approx(900, rel=0.01)
    hours = Counter(int(DAY.hour(at)) for at in come)
    for hour in range(24):
        expected = 3 * 50 * 300 / 24 * share_of_peak(hour + 0.5)
        assert hours[hour] == pytest.approx(expected, rel=0.05)


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ledger(*players: str, clock: Time | None = None) -> Ledger:
    made = Ledger(clock=clock or Time())
    for player in players:
        made.came((player,), NORMAL, timedelta(seconds=10), lobby="lobby-1")
        made.queued(player)
    return made


def test_a_match_told_by_several_is_one() -> None:
    book = ledger("a", "b")
    book.matched("m1", ["a", "b"])
    book.matched("m1", ["a"])
    assert (book.counts[Fate.MATCHED], book.doubled, book.waiting()) == (2, 0, [])


def test_a_second_match_or_one_after_leaving_is_a_double() -> None:
    book = ledger("a", "b")
    book.matched("m1", ["a"])
    book.matched("m2", ["a"])
    assert book.doubled == 1
    book.ended("b", Fate.LEFT)
    book.matched("m3", ["b"])
    assert book.doubled == 2


def test_a_match_may_be_faster_than_the_answer() -> None:
    book = Ledger(clock=Time())
    book.came(("a",), NORMAL, timedelta(seconds=10), lobby="lobby-1")
    book.matched("m1", ["a"])
    book.queued("a")
    assert (book.counts["enqueued"], book.waiting()) == (1, [])


def test_who_may_not_leave_is_not_asked_again() -> None:
    clock = Time()
    book = ledger("a", clock=clock)
    clock.now += 11
    assert book.impatient() == ["a"]
    book.asks_to_leave("a")
    assert book.impatient() == []
    book.stays_on("a")
    assert book.impatient() == []
    assert not book.stay("a").asked_to_leave


def test_what_is_unusual_is_not_gone_at_once() -> None:
    book = ledger()
    book.tell("the breaker opens", unusual=True)
    for number in range(200):
        book.tell(f"match {number}")
    assert book.news(3) == ["the breaker opens", "match 198", "match 199"]
    for number in range(200):
        book.tell(f"failure {number}", unusual=True)
    assert book.news(4) == ["match 198", "match 199", "failure 198", "failure 199"]


@pytest.mark.parametrize(
    ("mode", "waited", "asked_to_leave", "set_aside", "end"),
    [
        (NORMAL, 1000, False, False, None),
        (NORMAL, 5, True, False, Fate.LEFT),
        (NORMAL, 5, False, True, Fate.SET_ASIDE),
        (BRIEF, 59, False, False, None),
        (BRIEF, 60, False, False, Fate.EXPIRED),
    ],
)
def test_only_an_end_that_may_be_unheard_explains_who_is_nowhere(
    mode: GameMode, waited: float, asked_to_leave: bool, set_aside: bool, end: Fate | None
) -> None:
    stay = Stay(
        mode=mode,
        patience=timedelta(0),
        lobby="lobby-1",
        together=("a",),
        queued_at=100.0,
        asked_to_leave=asked_to_leave,
    )
    assert unheard_end(stay, now=100.0 + waited, set_aside=set_aside) is end


def party(clock: Time, *, queued: bool = True) -> Ledger:
    book = Ledger(clock=clock)
    book.came(FRIENDS, NORMAL, timedelta(seconds=10), lobby="lobby-1")
    for player in FRIENDS if queued else ():
        book.queued(player)
    return book


FRIENDS = ("a", "b", "c")


def test_one_of_a_party_loses_patience_for_all_and_takes_all_along() -> None:
    clock = Time()
    book = party(clock)
    clock.now += 11
    assert book.impatient() == ["a"]
    book.asks_to_leave("a")
    assert all(book.stay(player).asked_to_leave for player in FRIENDS)
    assert unheard_end(book.stay("c"), now=clock.now, set_aside=False) is Fate.LEFT
    book.left("a")
    assert (book.counts[Fate.LEFT], book.waiting()) == (3, [])


def test_a_party_that_may_not_leave_stays_as_a_whole() -> None:
    clock = Time()
    book = party(clock)
    clock.now += 11
    book.asks_to_leave("a")
    book.stays_on("a")
    assert not any(book.stay(player).asked_to_leave for player in FRIENDS)
    assert unheard_end(book.stay("c"), now=clock.now, set_aside=False) is None


def test_friends_come_to_modes_with_teams_and_fit_into_one() -> None:
    duel = parties_of(GameMode(name="Duel"))
    assert dict(duel.weights) == {1: 0.5}
    raid = dict(parties_of(GameMode(name="Raid", required_players=6, teams=2)).weights)
    assert raid == {1: 0.5, 2: 0.25, 3: 0.25}
    large = parties_of(GameMode(name="Large", required_players=100, teams=2))
    assert [size for size, _ in large.weights] == [1, 2, 3, 4, 5]


def test_who_plays_against_whom_is_told_with_friends_together() -> None:
    def seat(player: str, **party: str) -> dict[str, object]:
        return {"player_id": player, "score": 1, "pod_id": "p", "metadata": {}, **party}

    friends = [seat("a", party_id="P"), seat("b"), seat("c", party_id="P")]
    others = [seat("d"), seat("e"), seat("f")]
    offer = {"match_id": "m", "game_mode": "Raid", "teams": [friends, others]}
    request = decode_battle_request(json.dumps(offer).encode())
    assert in_words(request) == "a & c, b against d, e, f"


HERE = {"host": "127.0.0.1:8080"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({**HERE, **JSON}, None),
        ({**HERE, "content-type": "application/json; charset=utf-8"}, None),
        ({**HERE, "origin": "http://127.0.0.1:8080"}, None),
        ({**HERE, "sec-fetch-site": "same-origin"}, None),
        (HERE, 415),
        ({**HERE, "content-type": "text/plain"}, 415),
        ({**HERE, **JSON, "origin": "https://evil.example"}, 403),
        ({**HERE, **JSON, "origin": "http://127.0.0.1:9999"}, 403),
        ({**HERE, **JSON, "origin": "null"}, 403),
        ({**HERE, **JSON, "sec-fetch-site": "cross-site"}, 403),
        ({**HERE, **JSON, "sec-fetch-site": "same-site"}, 403),
        ({**HERE, "origin": "http://127.0.0.1:8080", "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_only_this_page_and_this_machine_press(headers: dict[str, str], status: int | None) -> None:
    problem = press_problem(headers)
    assert (None if problem is None else problem[0]) == status


@pytest.mark.parametrize(
    ("environment", "platform", "terminal", "screen"),
    [
        ({"DISPLAY": ":0"}, "linux", True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({}, "linux", True, False),
        ({}, "darwin", True, True),
        ({"DISPLAY": ":0"}, "linux", False, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "a b"}, "linux", True, False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", True, False),
    ],
)
def test_a_browser_is_opened_only_where_somebody_sees_it(
    environment: dict[str, str], platform: str, terminal: bool, screen: bool
) -> None:
    assert there_is_a_screen(environment, platform=platform, terminal=terminal) is screen


def figures(*, known: bool) -> Figures:
    return Figures(players=9, matched=4, lost=0, doubled=0, known=known)


async def test_an_unknown_control_names_the_known() -> None:
    pressed = []

    async def press() -> None:
        pressed.append(1)

    control = Control(
        name="poison", label="Poison", what="does harm", kind=Kind.BUTTON, press=press
    )
    controls = Controls([control], lambda: figures(known=True))
    with pytest.raises(NotFoundError) as caught:
        await controls.press("posion")
    assert "poison" in caught.value.hint
    assert not pressed
    assert (await controls.press("poison")).figures.players == 9
    assert pressed


def snapshot(board: Board) -> Snapshot:
    return Snapshot(
        seconds=3,
        hour=17.5,
        share_of_peak=0.7,
        redis="redis://127.0.0.1:1/0",
        http="http://127.0.0.1:8080/",
        port=" --port 8081",
        quick="Quick.",
        queues=(
            QueueState(
                mode=NORMAL, length=2, oldest_wait_seconds=1.0, pending_matches=1, dead_letters=0
            ),
        ),
        devices=(),
        board=board,
    )


@pytest.mark.parametrize("lines", [1, 24, 100])
def test_the_view_says_what_it_knows(lines: int) -> None:
    async def nothing() -> None:
        return

    control = Control(
        name="redis_stopped",
        label="Stop Redis",
        what="kills it",
        kind=Kind.TOGGLE,
        press=nothing,
        is_on=lambda: True,
    )
    for known in (True, False):
        board = Controls([control], partial(figures, known=known)).board()
        console = Console(width=110, file=StringIO(), record=True)
        console.print(render(snapshot(board), ledger("a"), lines=lines))
        text = console.export_text()
        assert "the live page: http://127.0.0.1:8080/" in text
        assert "matchkeeper break redis_stopped --port 8081" in text
        assert ("unknown while Redis is away" in text) is not known
        assert ("lost unknown" in line(snapshot(board), ledger("a"))) is not known
        assert "17:30  broken: redis_stopped" in line(snapshot(board), ledger("a"))

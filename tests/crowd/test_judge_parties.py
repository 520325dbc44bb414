"""What the judge says of players who came together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crowd.history import Event, History, State, What
from crowd.judge import Fault, Together, Told, judge
from crowd.judge.parties import check_index
from crowd.wire import note
from tests.support.stories import Story

TEAMS = {"duos": 2}


def story(*players: str) -> Story:
    """A party P that was asked for."""
    return asks(Story(), *players)


def asks(told: Story, *players: str) -> Story:
    for player in players:
        told.add(
            What.ASKED,
            who="pod",
            player=player,
            mode="duos",
            word="enqueue",
            party="P",
            together=players,
        )
    return told


def offered(told: Story, *seats: tuple[str, str, int], others: tuple[str, ...] = ()) -> Story:
    return told.add(
        What.OFFERED,
        who="pod",
        match="m",
        epoch=1,
        mode="duos",
        word="claim",
        players=tuple((name, 100) for name in (*(each[0] for each in seats), *others)),
        seats=seats,
    )


def faults(told: Story) -> set[Fault]:
    told.looked()
    verdict = judge(told.events, settled=False, teams=TEAMS)
    return {each.fault for each in verdict.findings}


def dequeued(told: Story, player: str, left_by: str = "") -> Story:
    return told.add(What.TOLD, who="pod", player=player, word="DeQueued", left_by=left_by)


def leaves(told: Story, player: str) -> Story:
    return told.asked(player, "dequeue", "duos")


def found_often(begun: Story, times: int) -> Story:
    """`a` of the party is told of its match so often."""
    told = offered(begun, ("a", "P", 0), ("b", "P", 0)).claimed("m").started("m")
    for _ in range(times):
        told = told.found("a", "m", "a", "b")
    return told


GOOD: dict[str, Callable[[], Story]] = {
    "on one team": lambda: offered(
        story("a", "b"), ("a", "P", 0), ("b", "P", 0), others=("c", "d")
    ),
    "fills the match": lambda: offered(
        story("a", "b", "c", "d"), ("a", "P", 0), ("b", "P", 0), ("c", "P", 1), ("d", "P", 1)
    ),
    "one left, the other hears who": lambda: dequeued(
        dequeued(leaves(story("a", "b").told("a").told("b"), "a"), "a"), "b", "a"
    ),
    "told of a match again, since it was asked for again": lambda: found_often(story("a", "b"), 4),
    "both left": lambda: dequeued(dequeued(leaves(leaves(story("a", "b"), "a"), "b"), "a"), "b"),
}
BAD: dict[str, tuple[Fault, Callable[[], Story]]] = {
    "one is not in the match": (
        Fault.SPLIT,
        lambda: offered(story("a", "b"), ("a", "P", 0), others=("c", "d", "e")),
    ),
    "on two teams": (
        Fault.SPLIT,
        lambda: offered(story("a", "b"), ("a", "P", 0), ("b", "P", 1), others=("c", "d")),
    ),
    "with somebody who was not asked for": (
        Fault.SPLIT,
        lambda: offered(story("a", "b"), ("a", "P", 0), ("b", "P", 0), ("c", "P", 0)),
    ),
    "one left, and the other does not hear who": (
        Fault.LEFT_BY,
        lambda: dequeued(leaves(story("a", "b"), "a"), "b"),
    ),
    "who is named has not left": (
        Fault.LEFT_BY,
        lambda: dequeued(story("a", "b"), "b", "a"),
    ),
    "who is named was not with them": (
        Fault.LEFT_BY,
        lambda: dequeued(leaves(story("a", "b"), "c"), "b", "c"),
    ),
    "told more often of a match than it can have been asked for": (
        Fault.TOLD_OTHERWISE,
        lambda: found_often(story("a", "b"), 5),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_said_where_all_is_well(name: str) -> None:
    assert not faults(GOOD[name]()) & {Fault.SPLIT, Fault.LEFT_BY, Fault.TOLD_OTHERWISE}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_found(name: str) -> None:
    fault, told = BAD[name]
    assert fault in faults(told())


def test_the_index_has_the_players_of_parties_that_stand_and_nobody_else() -> None:
    parties = {"duos P": ("a", "b")}
    queues = {"duos": {"a": 5.0, "b": 5.0}}
    good = State(queues=queues, parties=parties, index=dict.fromkeys("ab", "duos P"))
    assert list(check_index(good)) == []
    missing = State(queues=queues, parties=parties, index={"a": "duos P"})
    assert [each.about for each in check_index(missing)] == ["b"]
    left_behind = State(index={"a": "duos P"})
    assert [each.about for each in check_index(left_behind)] == ["a"]
    half = State(queues={"duos": {"a": 5.0}}, parties=parties, index=good.index)
    assert [each.fault for each in check_index(half)] == [Fault.SPLIT]


def test_who_leaves_takes_the_others_out() -> None:
    told = story("a", "b").told("a").told("b")
    leaves(told, "a")
    told.looked()
    assert Fault.LOST not in {each.fault for each in judge(told.events, settled=False).findings}


def test_parties_are_read_from_the_wire() -> None:
    history = History()
    offer = (
        b'{"match_id":"m","epoch":1,"game_mode":"Duos","handoff":"claim","teams":[[{"player_id":"a",'
        b'"score":1,"party_id":"P"}],[{"player_id":"b","score":2}]]}'
    )
    answer = b'{"player_id":"b","result_type":"DeQueued","party_id":"P","left_by":"a"}'
    note(history, 1.0, "pod", "battle:request", offer)
    note(history, 2.0, "pod", "pod:x:match_result", answer)
    found = (
        b'{"player_id":"b","result_type":{"MatchFound":{"match_id":"m","game_mode":"Duos","team":1,'
        b'"teams":[["c","d"],["a","b"]],"parties":{"P":["a","b"]},"claimed_by":"x"}}}'
    )
    note(history, 3.0, "pod", "pod:x:match_result", found)
    seen: list[Event] = history.events
    assert (seen[0].seats, seen[1].left_by) == ((("a", "P", 0),), "a")
    assert seen[2].seats == (("a", "P", 1), ("b", "P", 1))


@pytest.mark.parametrize("parties", ["[]", '{"P":7}', '{"P":[[],7]}'])
def test_what_is_no_party_in_news_breaks_nothing(parties: str) -> None:
    found = '{"player_id":"a","result_type":{"MatchFound":{"teams":[["a"]],"parties":' + parties
    event = note(History(), 1.0, "pod", "pod:x:match_result", (found + "}}}").encode())
    assert event is not None
    assert event.seats == ()


def test_what_players_are_told_of_a_match_has_their_party_as_a_whole() -> None:
    told = story("a", "b")
    told.add(
        What.TOLD,
        who="pod",
        player="a",
        word="MatchFound",
        match="m",
        mode="duos",
        players=(("a", 0), ("x", 0), ("b", 0), ("y", 0)),
        seats=(("a", "P", 0), ("b", "P", 1)),
    )
    assert Fault.SPLIT in faults(told)


PARTY = ("a", "b", "c")


def together(*leaving: str) -> Together:
    return Together(name="P", players=frozenset(PARTY), leaving=set(leaving))


def test_a_party_is_queued_as_a_whole_or_refused_as_a_whole() -> None:
    whole = together()
    for player in PARTY:
        assert not list(whole.heard(player, Told(queued=1)))
    assert [each.fault for each in whole.heard("c", Told(refused=1))] == [Fault.SPLIT]
    assert not list(whole.heard("b", Told(refused=1)))  # it is said once
    refused = together()
    for player in PARTY:
        assert not list(refused.heard(player, Told(refused=1)))
    assert [each.fault for each in refused.heard("a", Told(matches=["m"]))] == [Fault.SPLIT]


def test_a_party_that_asks_twice_is_queued_once_and_refused_once() -> None:
    twice = together()
    for player in PARTY:
        assert not list(twice.heard(player, Told(enqueues=2, refused=1)))
        assert not list(twice.heard(player, Told(enqueues=2, refused=1, queued=1)))


@pytest.mark.parametrize(
    ("leaving", "player", "left_by", "fault"),
    [
        (("b",), "a", "b", None),
        (("b",), "b", "", None),
        (PARTY, "a", "", None),
        (("b",), "a", "", Fault.LEFT_BY),
        (("b",), "a", "c", Fault.LEFT_BY),
        (("b",), "a", "x", Fault.LEFT_BY),
    ],
)
def test_who_is_taken_out_is_told_who_left(
    leaving: tuple[str, ...], player: str, left_by: str, fault: Fault | None
) -> None:
    news = Event(at=1.0, what=What.TOLD, player=player, word="DeQueued", left_by=left_by)
    found = [each.fault for each in together(*leaving).left(news)]
    assert found == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("teams", "marked", "fault"),
    [
        ((("a", "b", "c"), ("x", "y", "z")), PARTY, None),
        ((("a",), ("b",), ("c",)), PARTY, None),
        ((("a", "b", "x"), ("c", "y", "z")), PARTY, Fault.SPLIT),
        ((("a", "b", "x"), ("w", "y", "z")), ("a", "b"), Fault.SPLIT),
        ((("a", "b", "c"), ("x", "y", "z")), (), Fault.SPLIT),
        ((("v", "w", "x"), ("u", "y", "z")), (), None),
    ],
)
def test_a_party_is_in_a_match_as_a_whole_on_one_team_or_fills_it(
    teams: tuple[tuple[str, ...], ...], marked: tuple[str, ...], fault: Fault | None
) -> None:
    news = Event(
        at=1.0,
        what=What.OFFERED,
        match="m",
        players=tuple((player, 1) for team in teams for player in team),
        seats=tuple(
            (player, "P" if player in marked else "Q", number)
            for number, team in enumerate(teams)
            for player in team
            if player in marked or player == "z"
        ),
    )
    found = [each.fault for each in together().seated(news)]
    assert found == ([fault] if fault else [])


def test_a_wish_of_its_own_that_is_done_after_the_match_is_a_stay_of_its_own() -> None:
    """The players hear of the match before anybody sees in Redis that it has started."""
    told = offered(story("a", "b").told("a").told("b"), ("a", "P", 0), ("b", "P", 0))
    asks(told, "a", "b")
    told.found("a", "m", "a", "b").found("b", "m", "a", "b")
    told.told("a").told("b")
    told.add(
        What.OFFERED,
        who="pod",
        match="n",
        epoch=1,
        mode="duos",
        word="claim",
        players=(("a", 200), ("b", 200)),
        seats=(("a", "P", 0), ("b", "P", 0)),
    )
    leaves(told, "a")
    dequeued(dequeued(told, "a"), "b", "a")
    assert faults(told) == set()


def test_a_match_that_is_heard_of_late_belongs_to_the_stay_before() -> None:
    """A pod that stood still hears of it when its players have asked anew."""
    told = offered(story("a", "b").told("a").told("b"), ("a", "P", 0), ("b", "P", 0))
    leaves(told, "a")
    dequeued(dequeued(told, "a"), "b", "a")
    asks(told, "a", "b")
    told.told("a").told("b")
    again = {"match": "n", "epoch": 1, "mode": "duos", "word": "claim"}
    seats = (("a", "P", 0), ("b", "P", 0))
    told.add(What.OFFERED, who="pod", players=(("a", 200), ("b", 200)), seats=seats, **again)
    offered(told, *seats)
    told.claimed("n").started("n")
    assert faults(told) == set()

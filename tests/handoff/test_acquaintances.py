"""Who was in a match with whom, out of the history that the scripts write."""

from __future__ import annotations

from matchkeeper.domain.realm import QueueName
from matchkeeper.handoff.acquaintances import Circle
from matchkeeper.store.happenings import Happening
from matchkeeper.store.history import Happened

QUEUE = QueueName.of("M")


def happened(what: str, at: float, match_id: str, *players: str) -> Happened:
    return Happened(
        queue=QUEUE,
        at=at,
        what=what,
        players="\n".join(players),
        match_id=match_id,
        pod_id="",
        detail="",
    )


def circle(*all_of_it: Happened) -> Circle:
    made = Circle(within_seconds=100)
    for each in all_of_it:
        made.heard(each)
    return made


def test_players_of_one_match_know_each_other_since_the_last_one() -> None:
    found = circle(
        happened(Happening.COMMITTED, 10, "m1", "a", "b"),
        happened(Happening.ANNOUNCED, 20, "m2", "a", "c"),
        happened(Happening.COMMITTED, 30, "m3", "a", "b"),
    )
    assert {each: found.met("a").get(each) for each in "bcd"} == {"b": 30, "c": 20, "d": None}
    assert found.met("c").get("b") is None
    assert found.met("nobody") == {}


def test_a_match_that_fell_through_counts_for_nothing() -> None:
    found = circle(
        happened(Happening.COMMITTED, 10, "m1", "a", "b"),
        happened(Happening.COMMITTED, 20, "m2", "a", "c"),
        happened(Happening.GIVEN_BACK, 21, "m2"),
        happened(Happening.CLAIMED, 22, "m1"),
    )
    assert found.met("a") == {"a": 10, "b": 10}
    assert found.met("c") == {}


def test_a_large_match_stands_in_several_entries() -> None:
    found = circle(
        happened(Happening.COMMITTED, 10, "m1", "a", "b"),
        happened(Happening.COMMITTED, 10, "m1", "c"),
    )
    assert set(found.met("a")) == {"a", "b", "c"}
    found.heard(happened(Happening.GIVEN_BACK, 11, "m1"))
    assert [found.met(each) for each in "abc"] == [{}, {}, {}]


def test_what_is_long_ago_is_forgotten() -> None:
    found = circle(
        happened(Happening.COMMITTED, 10, "m1", "a", "b"),
        happened(Happening.COMMITTED, 110, "m2", "c", "d"),
    )
    assert found.met("a")["b"] == 10
    found.heard(happened(Happening.COMMITTED, 111, "m3", "e", "f"))
    assert found.met("a") == {}
    assert (set(found._matches), set(found._of)) == ({"m2", "m3"}, {"c", "d", "e", "f"})

"""Attributes out of metadata: what is read, and what is refused in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from matchkeeper.domain.attribute import Attribute, AttributeType, Value
from matchkeeper.domain.mode import GameMode, RatingRules
from matchkeeper.domain.ticket import Poison, PoisonedTicket, Ticket
from matchkeeper.wire.attributes import values_in
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.metadata import read_ticket, traits_in
from matchkeeper.wire.metadata_text import BadMetadataError

NUMBER, STRING, SET, RANKING, LATENCIES = AttributeType


def mode(kind: AttributeType, default: Value | None = None) -> GameMode:
    return GameMode(name="M", attributes=(Attribute(name="x", type=kind, default=default),))


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        (NUMBER, 3, 3.0),
        (NUMBER, -0.5, -0.5),
        (STRING, "", ""),
        (SET, ["a", "b", "a"], frozenset("ab")),
        (SET, [], frozenset()),
        (RANKING, ["b", "a"], ("b", "a")),
        (LATENCIES, {"us": 110, "eu": 23.5}, (("eu", 23.5), ("us", 110.0))),
        (LATENCIES, {"us": 0, "eu": -5, "ap": 10_000, "sa": 9_999}, (("sa", 9_999.0),)),
    ],
)
def test_a_value_is_read(kind: AttributeType, given: object, read: Value) -> None:
    assert values_in(json.dumps({"x": given, "y": 1}).encode(), mode(kind)) == (read,)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (NUMBER, '"5"', "x is a string; needed is a number"),
        (NUMBER, "true", "x is true or false; needed is a number"),
        (NUMBER, "9" * 400, "x is a number out of range; needed is a number"),
        (STRING, "5", "x is a number; needed is a string"),
        (SET, '"a"', "x is a string; needed is a list of strings"),
        (SET, '["a", 5]', "x is a list of other things than strings; needed is a list of strings"),
        (RANKING, '["a", "a"]', "x is a list with something twice, or that is no string; needed"),
        (RANKING, '{"a": 1}', "x is an object; needed is a list of different strings"),
        (LATENCIES, "[5]", "x is a list; needed is an object of milliseconds by region"),
        (LATENCIES, '{"eu": "5"}', "x is an object with something that is no number; needed is an"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_refused_in_words(kind: AttributeType, text: str, why: str) -> None:
    with pytest.raises(BadMetadataError) as caught:
        values_in(f'{{"x": {text}}}'.encode(), mode(kind))
    assert str(caught.value).startswith(why)
    assert caught.value.code is ErrorCode.INVALID_ATTRIBUTE


@pytest.mark.parametrize("text", ["{}", '{"x": null}', '{"X": 5}'])
def test_what_is_missing_has_the_default_or_is_refused(text: str) -> None:
    assert values_in(text.encode(), mode(NUMBER, 7.0)) == (7.0,)
    with pytest.raises(BadMetadataError, match="metadata has no x, and M has no default") as caught:
        values_in(text.encode(), mode(NUMBER))
    assert caught.value.code is ErrorCode.MISSING_ATTRIBUTE


def stored(ticket_id: str, text: dict[str, Any], of: GameMode) -> Ticket | PoisonedTicket:
    return read_ticket(ticket_id, 5.0, json.dumps(text).encode(), of)


def test_a_ticket_that_stands_in_redis_has_the_attributes_of_each_player() -> None:
    of = mode(STRING, "none")
    alone = stored("p", {"pod_id": "a", "x": "red"}, of)
    assert isinstance(alone, Ticket)
    assert alone.values == (("red",),)
    crew = [{"player_id": "p1", "metadata": {"x": "red"}}, {"player_id": "p2"}]
    party = stored("P", {"pod_id": "a", "players": crew}, of)
    assert isinstance(party, Ticket)
    assert party.values == (("red",), ("none",))


def test_a_ticket_without_what_is_needed_is_poisoned_and_says_why() -> None:
    alone = stored("p", {"pod_id": "a"}, mode(STRING))
    assert isinstance(alone, PoisonedTicket)
    assert (alone.kind, alone.members[0].pod_id) == (Poison.MISSING_ATTRIBUTE, "a")
    assert alone.reason.startswith("metadata has no x")
    crew = [{"player_id": "p1", "metadata": {"x": "red"}}, {"player_id": "p2"}]
    party = stored("P", {"pod_id": "a", "players": crew}, mode(STRING))
    assert isinstance(party, PoisonedTicket)
    assert party.reason.startswith("player p2: metadata has no x")
    assert len(party.members) == 2


def test_a_mode_without_attributes_reads_none_and_ratings_stay_as_they_are() -> None:
    rating = RatingRules(start=1, growth_per_second=1, maximum=9, default_rating=5)
    traits = traits_in('{"pod_id":"a","mmr":7,"x":1}', GameMode(name="M", rating=rating))
    assert (traits.rating, traits.values) == (7.0, ())
    both = GameMode(
        name="M", rating=rating, attributes=(Attribute(name="x", type=NUMBER, default=None),)
    )
    traits = traits_in('{"pod_id":"a","mmr":7,"x":1}', both)
    assert (traits.rating, traits.values) == (7.0, ((1.0,),))

"""Which answers are news, and who waits: decided without any connection."""

from __future__ import annotations

import pytest

from matchkeeper.client.watching import Watching
from matchkeeper.wire.answers import Answer

QUEUED = Answer("p", "EnQueued")
LEFT = Answer("p", "DeQueued")
ERROR = Answer("p", {"Error": {"code": "already_in_queue", "message": "m"}})
SET_ASIDE = Answer("p", {"Error": {"code": "invalid_metadata", "message": "m"}})


def found(match_id: str = "m1", **more: object) -> Answer:
    return Answer("p", {"MatchFound": {"match_id": match_id, **more}})


@pytest.fixture
def watching() -> Watching:
    """`p` waits."""
    made = Watching()
    made.asks("p")
    made.answered(QUEUED, 0)
    return made


@pytest.mark.parametrize("news", [found(), LEFT, Answer("p", "Expired"), SET_ASIDE])
def test_news_ends_the_wait(watching: Watching, news: Answer) -> None:
    since = watching.waiting()["p"]
    assert watching.still_waits("p", since)
    assert watching.is_news(news)
    assert not watching.still_waits("p", since)
    assert watching.waiting() == {}


def test_who_waits_anew_is_not_asked_for_with_an_old_question(watching: Watching) -> None:
    since = watching.waiting()["p"]
    watching.is_news(found())
    watching.answered(QUEUED, 0)
    assert not watching.still_waits("p", since)
    assert watching.still_waits("p", watching.waiting()["p"])


def test_one_match_is_told_once(watching: Watching) -> None:
    assert watching.is_news(found(), made_up=True)
    assert not watching.is_news(found(teams=[["p"], ["q"]]))
    watching.answered(QUEUED, 0)
    assert not watching.is_news(found()), "a copy that comes late"
    assert "p" in watching.waiting(), "and says nothing of the new wish"
    assert watching.is_news(found("m2"))


def test_answers_to_copies_are_no_news(watching: Watching) -> None:
    assert not watching.is_news(QUEUED)
    watching.asks("p")
    watching.answered(LEFT, 2)
    assert [watching.is_news(LEFT) for _ in range(3)] == [False, False, True]
    watching.asks("p")
    watching.answered(ERROR, 1)
    assert not watching.is_news(ERROR)


def test_a_new_request_ends_the_count_of_copies(watching: Watching) -> None:
    watching.answered(LEFT, 1)
    watching.asks("p")
    watching.answered(QUEUED, 0)
    assert watching.is_news(LEFT)


def test_what_a_status_told_is_not_told_again_by_its_own_message(watching: Watching) -> None:
    assert watching.is_news(LEFT, made_up=True)
    assert not watching.is_news(LEFT)
    watching.answered(QUEUED, 0)
    assert watching.is_news(LEFT)


def test_who_is_refused_because_of_waiting_waits() -> None:
    watching = Watching()
    watching.answered(ERROR, 0)
    assert "p" in watching.waiting()


def test_of_players_of_others_everything_is_news() -> None:
    watching = Watching()
    assert all(watching.is_news(each) for each in (QUEUED, LEFT, LEFT, ERROR, found(), SET_ASIDE))


def test_who_is_said_late_to_wait_is_asked_for_from_then_on() -> None:
    for first, second in ((QUEUED, ERROR), (ERROR, QUEUED)):
        watching = Watching()
        assert watching.is_news(first)
        assert "p" in watching.waiting()
        assert not watching.is_news(second), "this is known"

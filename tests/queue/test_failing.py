"""What fails by itself again and again."""

from __future__ import annotations

from matchkeeper.queue.failing import Failing


def test_failures_are_counted_until_they_are_over() -> None:
    failing = Failing(clock=lambda: 0.0)
    assert [failing.again("a"), failing.again("b"), failing.again("a")] == [1, 1, 2]
    failing.over("a")
    assert failing.again("a") == 1


def test_ever_so_many_take_no_more_than_their_bound_and_all_have_their_turn() -> None:
    failing = Failing(clock=lambda: 0.0, most=10)
    left = list(range(1000))
    rounds = 0
    while left:
        rounds += 1
        for name in tuple(left):
            if failing.again(name) == 5:
                failing.over(name)
                left.remove(name)
        assert len(failing) <= 10
    assert rounds < 1000


def test_what_another_server_has_done_is_forgotten() -> None:
    now = [0.0]
    failing = Failing(clock=lambda: now[0], most=2)
    for name in "ab":
        failing.again(name)
    now[0] = 599.0
    failing.again("b")
    assert [failing.again("c"), failing.again("c")] == [1, 1]
    now[0] = 601.0
    assert [failing.again("c"), failing.again("c"), failing.again("b")] == [1, 2, 3]

"""Where a server goes on in what it has heard, in every order of events that chance can make."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from matchkeeper.queue.tape import Tape
from matchkeeper.store.hearing import Message, Position


def message(number: int) -> Message:
    return Message("enqueue", b"%d" % number)


def numbers(tape: Tape, count: int = 1000) -> list[int]:
    cut = tape.next(count)
    return [int(body) for _, body in cut.messages] if cut else []


def heard(*items: int | str, limit: int = 100) -> Tape:
    """Messages by number, marks by name."""
    tape = Tape(limit=limit)
    for item in items:
        if isinstance(item, str):
            tape.mark(item)
        else:
            tape.hear(message(item))
    return tape


def test_what_comes_before_the_first_mark_belongs_to_others() -> None:
    tape = Tape(limit=10)
    tape.hear(message(1))
    assert (tape.hears, numbers(tape)) == (False, [])
    tape.mark("a")
    tape.hear(message(2))
    assert (tape.hears, numbers(tape)) == (True, [2])


def test_a_position_is_found_in_what_was_kept() -> None:
    tape = heard("a", 1, 2, "b", 3, 4)
    tape.advance(Position("a", 1))
    assert numbers(tape) == [2, 3, 4]
    tape.advance(Position("b", 1))
    assert (numbers(tape), tape.position) == ([4], Position("b", 1))
    tape.advance(Position("a", 2))
    assert numbers(tape) == [4], "older than what is kept"


def test_a_position_ahead_of_what_was_heard_is_reached_when_it_is() -> None:
    tape = heard("a", 1)
    tape.advance(Position("a", 3))
    tape.hear(message(2))
    tape.hear(message(3))
    tape.hear(message(4))
    assert numbers(tape) == [2, 3, 4]
    tape.advance(Position("a", 3))
    assert numbers(tape) == [4]


def test_a_cut_says_how_far_it_goes() -> None:
    tape = heard("a", 1, 2, "b", 3)
    cut = tape.next(2)
    assert cut is not None
    assert cut.to == Position("b", 0)
    tape.advance(cut.to)
    assert numbers(tape) == [3]


def test_marks_alone_are_passed_over_when_there_are_many() -> None:
    tape = heard("a", "b", "c")
    assert tape.next(5) is None
    for number in range(10):
        tape.mark(f"d{number}")
    cut = tape.next(5)
    assert cut is not None
    assert (cut.messages, cut.to) == ([], Position("d9", 0))


def test_what_there_is_no_room_for_keeps_its_place() -> None:
    tape = heard("a", 1, 2, limit=2)
    assert not tape.hear(message(3))
    cut = tape.next(10)
    assert cut is not None
    assert (len(cut.messages), cut.to) == (2, Position("a", 3))
    tape.advance(cut.to)
    assert tape.hear(message(4))
    assert numbers(tape) == [4]


def test_after_a_break_it_begins_anew_at_the_next_mark() -> None:
    tape = heard("a", 1)
    tape.interrupted()
    tape.hear(message(2))
    assert (tape.hears, numbers(tape)) == (False, [1]), "its holder ends what it heard"
    tape.mark("c")
    tape.hear(message(3))
    assert (tape.hears, numbers(tape)) == (True, [3])
    assert not tape.knows(Position("a", 1))
    assert tape.knows(Position("c", 0))
    tape.interrupted()
    tape.let_go()
    assert numbers(tape) == []


def test_who_follows_keeps_the_newest() -> None:
    tape = heard("a", 1, "b", 2, limit=2)
    tape.make_room()
    assert tape.hear(message(3))
    assert (numbers(tape), tape.position) == ([2, 3], Position("a", 1))
    assert not heard("a", 1).knows(Position("b", 1))


def test_marks_are_bounded_where_nothing_is_done() -> None:
    tape = heard("a", 1)
    for number in range(10_001):
        tape.mark(f"m{number}")
    assert (numbers(tape), tape.position) == ([], Position("m10000", 0))


@dataclass
class Listener:
    tape: Tape = field(default_factory=lambda: Tape(limit=1000))
    cursor: int | None = None
    epoch: int = 0
    holds: bool = False


@dataclass
class World:
    """All listeners of one channel, and what the scripts keep."""

    order: list[int | str] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=lambda: [Listener() for _ in range(3)])
    epoch: int = 0
    done: Position | None = None
    moved: list[int] = field(default_factory=list)
    careful: bool = False
    """The lease goes only to who knows where to go on, as when it was given up."""

    def step(self, what: str, who: Listener, count: int) -> None:
        if what == "publish":
            self.order.append(1 + sum(isinstance(item, int) for item in self.order))
        elif what == "mark":
            self.mark()
        elif what in ("deliver", "move"):
            getattr(self, what)(who, count)
        else:
            getattr(self, what)(who)

    def deliver(self, who: Listener, count: int) -> None:
        if who.cursor is None:
            return
        for item in self.order[who.cursor : who.cursor + count]:
            if isinstance(item, str):
                if not (who.holds and who.tape.lossy):
                    who.tape.mark(item)
            else:
                who.tape.hear(message(item))
            who.cursor += 1

    def mark(self) -> None:
        self.order.append(f"mark{len(self.order)}")

    def subscribe(self, who: Listener) -> None:
        if who.cursor is None:
            who.cursor = len(self.order)

    def cut_off(self, who: Listener) -> None:
        who.cursor = None
        who.tape.interrupted()

    def leave(self, who: Listener) -> None:
        """A holder whose subscription broke has done what it had heard."""
        who.holds = False
        who.tape.let_go()

    def take(self, who: Listener) -> None:
        """The lease changes hands; the new holder has heard all that was sent before."""
        if who.cursor is None or (who.holds and who.tape.lossy):
            return
        if self.careful and self.done is not None and not who.tape.knows(self.done):
            return
        self.epoch += 1
        who.holds = False
        who.tape.let_go()
        self.mark()
        self.deliver(who, len(self.order))
        who.holds, who.epoch = True, self.epoch
        if self.done is not None:
            who.tape.advance(self.done)
        assert who.tape.position is not None
        self.done = who.tape.position

    def move(self, who: Listener, count: int) -> None:
        """As the script: refused for who has lost the lease, which then follows."""
        cut = who.tape.next(count) if who.holds else None
        if cut is None:
            if who.holds and who.tape.lossy:
                self.leave(who)
            return
        if who.epoch != self.epoch:
            self.follow(who)
            return
        assert self.done == who.tape.position
        self.moved += [int(body) for _, body in cut.messages]
        self.done = cut.to
        who.tape.advance(cut.to)

    def follow(self, who: Listener) -> None:
        if who.epoch == self.epoch:
            return
        if who.holds:
            who.holds = False
            who.tape.let_go()
        if self.done is not None:
            who.tape.advance(self.done)


_steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "publish",
                "publish",
                "mark",
                "deliver",
                "cut_off",
                "subscribe",
                "take",
                "move",
                "follow",
            ]
        ),
        st.integers(0, 2),
        st.integers(1, 4),
    ),
    max_size=60,
)


@given(steps=_steps, breaking=st.integers(0, 3), careful=st.booleans())
@settings(max_examples=600)
def test_every_message_is_moved_once_whoever_holds_the_lease(
    steps: list[tuple[str, int, int]], breaking: int, careful: bool
) -> None:
    """Where the lease goes only to who missed nothing, one whole listener is enough for all."""
    world = World(careful=careful)
    for listener in world.listeners:
        world.subscribe(listener)
    world.take(world.listeners[0])
    for listener in world.listeners:
        world.deliver(listener, len(world.order))
    for what, which, count in steps:
        if which < breaking or what not in ("cut_off", "subscribe"):
            world.step(what, world.listeners[which], count)
    published = sum(isinstance(item, int) for item in world.order)
    last = world.listeners[2]
    world.subscribe(last)
    if last.holds and last.tape.lossy:
        while last.holds:
            world.move(last, 3)
    world.careful = False
    world.take(last)
    while last.tape.messages:
        world.move(last, 3)
    assert len(world.moved) == len(set(world.moved)), "moved twice"
    assert world.moved == sorted(world.moved), "out of order"
    if breaking == 0 or (careful and breaking < 3):
        assert world.moved == list(range(1, published + 1)), "missed"

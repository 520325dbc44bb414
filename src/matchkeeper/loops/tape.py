"""What a server hears on Pub/Sub, in the one order in which all servers hear it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from matchkeeper.store.hearing import Position

Message = tuple[str, bytes]
"""Kind and payload of a message."""
_Item = Message | str | None
"""A message, a mark by its name, or None for a message that there was no room for."""
_MARKS = 10
"""So many marks without a message between them are passed over at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The next messages of a tape, up to a position."""

    messages: Sequence[Message]
    to: Position


class Tape:
    """Messages that are not known to be done, behind a position that every listener can find.

    All subscribers of a Redis hear one order, so that a mark and the number of messages after it
    name a place in it. What comes before the first mark has no name, and belongs to whoever
    listened before. The same after a break of the subscription: `interrupted` says that something
    may be missing here.
    """

    def __init__(self, *, limit: int) -> None:
        self.limit = limit
        self.position: Position | None = None
        """The place behind which the tape begins; None before the first mark."""
        self.lossy = False
        """A break of the subscription has not been followed by a mark yet."""
        self._first_after_break = ""
        self._items: deque[_Item] = deque()
        self._messages = 0
        self._more = asyncio.Event()

    @property
    def hears(self) -> bool:
        """Nothing that is sent now is missed."""
        return self.position is not None and not self.lossy

    @property
    def messages(self) -> int:
        """How many wait."""
        return self._messages

    def mark(self, name: str) -> None:
        """A mark was heard."""
        if self.position is None:
            self.position = Position(name, 0)
        else:
            self._items.append(name)
            if self.lossy:
                self._first_after_break = name
        self.lossy = False
        if len(self._items) - self._messages >= _MARKS:
            self._more.set()

    def hear(self, message: Message) -> bool:
        """A message was heard; False where there was no room for it."""
        if not self.hears:
            return True
        fits = self._messages < self.limit
        self._items.append(message if fits else None)
        self._messages += 1
        self._more.set()
        return fits

    def interrupted(self) -> None:
        """The subscription broke: what was sent until the next mark may be missing."""
        self.lossy = self.position is not None

    def let_go(self) -> None:
        """Somebody else may have gone on from here, so that a position that was not heard may lie
        behind a break, and what was heard before it may be done.
        """
        if self.lossy:
            self.forget()
        elif self._first_after_break in self._items:
            self.advance(Position(self._first_after_break, 0))

    def forget(self) -> None:
        """Begins anew at the next mark."""
        self._items.clear()
        self._messages = 0
        self.position = None
        self.lossy = False

    def next(self, count: int) -> Cut | None:
        """At most `count` messages, or many marks alone; None where there is neither."""
        if self.position is None or (not self._messages and len(self._items) < _MARKS):
            self._more.clear()
            return None
        found: list[Message] = []
        at, seen = self.position, 0
        for item in self._items:
            if not isinstance(item, str):
                if seen == count:
                    break
                seen += 1
                if item is not None:
                    found.append(item)
            at = _behind(at, item)
        return Cut(messages=found, to=at)

    def advance(self, to: Position) -> None:
        """Drops what is done. A position that was never heard lies before all that was."""
        if self.position is None:
            return
        if to.mark != self.position.mark and to.mark not in self._items:
            return
        while self._items and not (
            self.position.mark == to.mark
            and (self.position.after >= to.after or isinstance(self._items[0], str))
        ):
            item = self._items.popleft()
            self._messages -= not isinstance(item, str)
            self.position = _behind(self.position, item)

    async def more(self) -> None:
        """Until something was heard since `next` found nothing."""
        await self._more.wait()


def _behind(at: Position, item: _Item) -> Position:
    return Position(item, 0) if isinstance(item, str) else Position(at.mark, at.after + 1)

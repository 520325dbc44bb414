"""What a server hears on Pub/Sub, in the one order in which all servers hear it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from matchkeeper.store.hearing import Message, Position

_Item = Message | str | None
"""A message, a mark by its name, or None for a message that there was no room for."""
_MARKS = 10
"""So many marks without a message among them are passed over at once."""
_MOST_MARKS = 10_000
"""So many marks are kept while nothing is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The next messages of a tape, up to the position `to`."""

    messages: Sequence[Message]
    to: Position
    behind: str = ""
    """The mark before the first message."""


class Tape:
    """Messages that are not known to be done, behind a position that every listener can find.

    All subscribers of a Redis hear one order, so that a mark and the number of messages after it
    name a place in it. Messages before the first mark have no such name: they belong to the server
    that listened before. After a break of the subscription the tape begins anew at the next mark.
    """

    def __init__(self, *, limit: int) -> None:
        self.limit = limit
        self.position: Position | None = None
        """The place behind which the tape begins; None before the first mark."""
        self.lossy = False
        """The subscription broke: messages after those on the tape are missing."""
        self._items: deque[_Item] = deque()
        self._messages = 0
        self._more = asyncio.Event()

    @property
    def hears(self) -> bool:
        """Whether everything that is sent now is heard."""
        return self.position is not None and not self.lossy

    @property
    def messages(self) -> int:
        """How many messages wait."""
        return self._messages

    def knows(self, place: Position) -> bool:
        """Whether nothing that was sent behind this place is missing."""
        at = self.position
        return (
            self.hears and at is not None and (place.mark == at.mark or place.mark in self._items)
        )

    def mark(self, name: str) -> None:
        """A mark was heard."""
        marks = len(self._items) - self._messages
        if self.lossy or marks >= max(_MOST_MARKS, self.limit):
            self.forget()
        if self.position is None:
            self.position = Position(name, 0)
            return
        self._items.append(name)
        if marks + 1 >= _MARKS:
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

    def make_room(self) -> None:
        """Drops the oldest messages, so that one more fits."""
        while self._messages >= self.limit:
            self._drop()

    def interrupted(self) -> None:
        """The subscription broke."""
        self.lossy = self.position is not None

    def let_go(self) -> None:
        """Another server may go on: messages from before a break are left to it."""
        if self.lossy:
            self.forget()

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
        at, seen, behind = self.position, 0, ""
        for item in self._items:
            if not isinstance(item, str):
                if seen == count:
                    break
                seen += 1
                behind = behind or at.mark
                if item is not None:
                    found.append(item)
            at = _behind(at, item)
        return Cut(messages=found, to=at, behind=behind)

    def advance(self, to: Position) -> None:
        """Drops what is done. A position that was never heard lies before everything on the
        tape.
        """
        if self.position is None:
            return
        if to.mark != self.position.mark and to.mark not in self._items:
            return
        while self._items and not (
            self.position.mark == to.mark
            and (self.position.after >= to.after or isinstance(self._items[0], str))
        ):
            self._drop()

    def _drop(self) -> None:
        item = self._items.popleft()
        self._messages -= not isinstance(item, str)
        if self.position is not None:
            self.position = _behind(self.position, item)

    async def more(self) -> None:
        """Waits until something is heard after `next` has found nothing."""
        await self._more.wait()


def _behind(at: Position, item: _Item) -> Position:
    return Position(item, 0) if isinstance(item, str) else Position(at.mark, at.after + 1)

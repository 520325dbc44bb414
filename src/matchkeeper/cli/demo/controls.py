"""What can be broken, and how it stands: for the page, the second terminal and the view."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from matchkeeper.errors import NotFoundError


class Kind(StrEnum):
    """How a control is pressed."""

    TOGGLE = "toggle"
    """On until it is pressed again."""
    BUTTON = "button"


class ControlView(msgspec.Struct, frozen=True, kw_only=True):
    """One control as it stands."""

    name: str
    label: str
    what: str
    kind: Kind
    on: bool


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the outside saw. While Redis is away `lost` is the last known number."""

    players: int
    """Players who were told `EnQueued`."""
    matched: int
    lost: int
    doubled: int
    known: bool
    """Whether `lost` is up to date."""


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `GET /demo`."""

    controls: tuple[ControlView, ...]
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Something to press."""

    name: str
    label: str
    what: str
    kind: Kind
    press: Callable[[], Awaitable[None]]
    is_on: Callable[[], bool] = lambda: False


class Controls:
    """All controls of one demo."""

    def __init__(self, controls: Sequence[Control], figures: Callable[[], Figures]) -> None:
        self._controls = {control.name: control for control in controls}
        self._figures = figures
        self._one_at_a_time = asyncio.Lock()

    def board(self) -> Board:
        """How everything stands."""
        return Board(
            controls=tuple(
                ControlView(
                    name=each.name,
                    label=each.label,
                    what=each.what,
                    kind=each.kind,
                    on=each.is_on(),
                )
                for each in self._controls.values()
            ),
            figures=self._figures(),
        )

    def on(self) -> list[ControlView]:
        """What is broken now."""
        return [each for each in self.board().controls if each.on]

    async def press(self, name: str) -> Board:
        """Flips a toggle or pushes a button; how everything stands after it.

        Raises NotFoundError, and what the control raises.
        """
        control = self._controls.get(name)
        if control is None:
            raise NotFoundError(
                f"There is no control {name!r}", hint=f"There are: {', '.join(self._controls)}"
            )
        async with self._one_at_a_time:
            await control.press()
        return self.board()

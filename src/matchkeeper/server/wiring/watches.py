"""The parts that look at Redis by themselves, and the problems they tell."""

from __future__ import annotations

from dataclasses import dataclass

from matchkeeper import __version__
from matchkeeper.observe.board.problems import Problem
from matchkeeper.observe.runtime import Runtime
from matchkeeper.server.clock_watch import ClockWatch
from matchkeeper.server.doubts import RedisDoubts
from matchkeeper.server.form_watch import FormWatch
from matchkeeper.server.lifecycle import Task
from matchkeeper.server.wiring.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Watches:
    """They watch its clock and data set, whether it keeps what it is given, and in which form."""

    form: FormWatch
    clock: ClockWatch
    doubts: RedisDoubts

    def tasks(self) -> list[Task]:
        """Their loops."""
        return [
            Task(name="clock", run=self.clock.run),
            Task(name="doubts", run=self.doubts.run),
        ]

    def problems(self) -> list[Problem]:
        """The present problems, for readiness and for the live page."""
        return [*self.clock.problems(), *self.doubts.problems()]


def watches_for(stores: Stores, runtime: Runtime) -> Watches:
    """The watches of one server."""
    return Watches(
        form=FormWatch(stores.form, runtime, version=__version__),
        clock=ClockWatch(stores.clock, runtime),
        doubts=RedisDoubts(stores.connection, runtime),
    )

"""Lets the server work only on a state whose form it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from matchkeeper.domain.form import Stamp, unfit
from matchkeeper.errors import FormError
from matchkeeper.observe.runtime import Runtime
from matchkeeper.resilience.waiting import pause, unless
from matchkeeper.server.lifecycle import Task
from matchkeeper.store.form import FormStore

_EVERY_SECONDS = 1.0


class FormWatch:
    """Looks at the form before anything is done, and once a second: somebody may migrate the state,
    or empty Redis, while the server runs.
    """

    def __init__(self, form: FormStore, runtime: Runtime, *, version: str) -> None:
        self._form = form
        self._version = version
        self._facts = runtime.facts
        self._stop = runtime.stop
        self._known = asyncio.Event()
        self.refused: FormError | None = None
        """Why the server has stopped."""

    async def admit(self) -> None:
        """Finds out whether this version can work with the state. Raises FormError and
        StoreError.
        """
        if not self._known.is_set():
            stamp = self._checked(await self._form.stamp())
            self._facts.form_known(form=stamp.form, by=stamp.by)
            self._known.set()

    def first(self, *tasks: Task) -> list[Task]:
        """The tasks as they are to run: none of them begins before the state is known to be of a
        form that this version can work with.
        """
        return [replace(task, run=partial(self._then, task.run)) for task in tasks]

    async def _then(self, run: Callable[[], Awaitable[None]]) -> None:
        await unless(self._stop, self._known.wait())
        if self._known.is_set():
            await run()

    async def run(self) -> None:
        """Runs until the server stops, and stops it when the form is no longer ours. Raises
        StoreError; starting again is safe.
        """
        while True:
            try:
                await self._look()
            except FormError as error:
                self.refused = error
                self._facts.form_foreign(error=error.message, mend=error.hint)
                self._stop.set()
                return
            if await pause(self._stop, _EVERY_SECONDS):
                return

    async def _look(self) -> None:
        if not self._known.is_set():
            await self.admit()
            return
        # Where Redis was emptied, all that stands there since is of our form.
        stamp = await self._form.stamp(checked=True)
        if stamp.form:  # a key that somebody has damaged stops no match
            self._checked(stamp)

    def _checked(self, stamp: Stamp) -> Stamp:
        if why := unfit(stamp, self._version):
            raise FormError(why.found, hint=why.mend)
        return stamp

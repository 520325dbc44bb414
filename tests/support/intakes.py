"""The intakes of a server in this process, without the rest of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from matchkeeper.config import MatchmakingSettings
from matchkeeper.domain.ticket import Ticket
from matchkeeper.handoff.notices import Notices
from matchkeeper.handoff.requests import HandoffRequests
from matchkeeper.handoff.statuses import StatusRequests
from matchkeeper.observe.facts import Facts
from matchkeeper.observe.supervision import supervised
from matchkeeper.queue.hearing import PubSubIntake
from matchkeeper.queue.ingest import Ingest
from tests.support.runtimes import runtime
from tests.support.stores import MODES, Stores, open_stores


class _NoLoop:
    def arrived(self, queue_length: int, tickets: Sequence[Ticket]) -> None:
        pass

    def left(self, players: Sequence[str]) -> None:
        pass


def handoff_requests(stores: Stores, facts: Facts | None = None) -> HandoffRequests:
    given, settings = runtime(facts), MatchmakingSettings()
    return HandoffRequests(
        MODES,
        given,
        handoffs=stores.handoffs,
        coordination=stores.coordination,
        stream=stores.stream,
        notices=Notices(stores.connection, settings, given.facts),
        settings=settings,
    )


def ingest(
    stores: Stores,
    facts: Facts | None = None,
    *,
    known_elsewhere: Callable[[str], bool] = lambda _: False,
) -> Ingest:
    given = runtime(facts)
    settings = MatchmakingSettings(max_dead_letters=100)
    notices = Notices(stores.connection, settings, given.facts)
    return Ingest(
        MODES,
        given,
        tickets=stores.tickets,
        handoffs=handoff_requests(stores, facts),
        statuses=StatusRequests(
            given,
            statuses=stores.statuses,
            stream=stores.stream,
            notices=notices,
            elsewhere=lambda: (),
        ),
        stream=stores.stream,
        notices=notices,
        settings=settings,
        queues=defaultdict(_NoLoop),
        known_elsewhere=known_elsewhere,
    )


@asynccontextmanager
async def hearing(
    url: str, me: str, *, backlog: int = 50_000, timeout: float = 2.0
) -> AsyncIterator[tuple[PubSubIntake, Stores]]:
    """Hears requests by Pub/Sub as a server does; stops in good order at the end."""
    async with open_stores(url, me=me, timeout=timeout) as stores:
        given = runtime(stop=stores.stop)
        intake = PubSubIntake(
            ingest(stores),
            stores.connection,
            stores.hearing,
            MatchmakingSettings(pubsub_backlog=backlog),
            given,
        )
        tasks = [
            asyncio.ensure_future(supervised(run.__name__, run, given))
            for run in (intake.listen, intake.keep, intake.work)
        ]
        try:
            yield intake, stores
            stores.stop.set()
            await asyncio.wait(tasks, timeout=10)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

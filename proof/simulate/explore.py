"""Which simulations are run: every fault everywhere, pairs where it matters, and seeds."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.util import Finalize

from proof.simulate.backend import Backend
from proof.simulate.faults import Fault, Twist, choices
from proof.simulate.jobs import Job, Outcome, perform, random_job

_HANDOFF = ("commit", "XADD", "handoff", "redeliver", "give_back")
_PAIRED = (
    Fault.NOT_SENT,
    Fault.REPLY_LOST,
    Fault.SLOW_REPLY,
    Fault.SLOW_APPLY,
    Fault.KILLED_BEFORE,
    Fault.KILLED_AFTER,
    Fault.REDIS_RESTARTED,
)

_backend: Backend | None = None


def workers() -> int:
    """Simulations at once: each keeps a Valkey and a Python busy in turn."""
    return max(1, os.cpu_count() or 1)


def run_all(jobs: Iterable[Job], *, processes: int) -> Iterator[Outcome]:
    """Outcomes as they come."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=_start, maxtasksperchild=2000) as pool:
        yield from pool.imap_unordered(_perform, jobs, chunksize=8)
        pool.close()
        pool.join()


def single_faults(plain: Outcome, *, every: int = 1, offset: int = 0) -> list[Job]:
    """Every fault at every operation of a run that had none; of these, each `every`-th."""
    jobs = [
        Job(scenario=plain.job.scenario, seed=plain.job.seed, faults=((number, fault),))
        for number, name in enumerate(plain.operations)
        for fault in choices(name)
    ]
    return jobs[offset::every]


def second_faults(first: Outcome, *, every: int = 1) -> list[Job]:
    """After a first fault in the handoff, a second at each handoff operation that followed it."""
    ((at, _),) = first.job.faults
    later = [
        number for number, name in enumerate(first.operations) if number > at and name in _HANDOFF
    ]
    jobs = [
        Job(
            scenario=first.job.scenario,
            seed=first.job.seed,
            faults=(*first.job.faults, (number, fault)),
        )
        for number in later
        for fault in _PAIRED
    ]
    return jobs[::every]


def first_faults(plain: Outcome) -> list[Job]:
    """The first faults of all pairs: at the operations of the handoff."""
    return [
        Job(scenario=plain.job.scenario, seed=plain.job.seed, faults=((number, fault),))
        for number, name in enumerate(plain.operations)
        if name in _HANDOFF
        for fault in _PAIRED
    ]


def seeds(first: int, count: int, twists: Sequence[Twist] | None) -> Iterator[Job]:
    """Random scenarios with random faults."""
    return (random_job(seed, twists) for seed in range(first, first + count))


def _start() -> None:
    global _backend  # noqa: PLW0603  # one Valkey for each worker process
    _backend = Backend()
    signal.signal(signal.SIGTERM, _end)
    Finalize(None, _backend.close, exitpriority=1)


def _end(*_: object) -> None:
    """A worker that is not needed any more is terminated: its Valkey ends with it. The code that
    runs at this moment might swallow an exception.
    """
    if _backend is not None:
        _backend.close()
    os._exit(0)


def _perform(job: Job) -> Outcome:
    assert _backend is not None  # noqa: S101  # made by _start
    return perform(_backend, job)

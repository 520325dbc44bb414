"""The deterministic simulation: it is deterministic, and finds nothing."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from matchkeeper.store.scripts import every
from proof.simulate.backend import Backend
from proof.simulate.jobs import WITHOUT_FAULTS_SEED, Job, perform
from proof.simulate.loop import SimTask


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.close()


def test_scripts_read_no_clock_but_the_simulated_one(backend: Backend) -> None:
    for script in every():
        (*_, text) = backend.translated((b"SCRIPT", b"LOAD", script.source.encode()))
        assert b"'TIME'" not in text
        assert b"'*'" not in text


@pytest.mark.parametrize("job", ["random:17:dice", "random:74:dice", "everything:1:57=REPLY_LOST"])
def test_the_same_seed_gives_the_same_history_byte_for_byte(backend: Backend, job: str) -> None:
    first, second = (perform(backend, Job.parse(job)) for _ in range(2))
    assert first.digest == second.digest
    assert first.operations == second.operations
    assert first.injected


def test_runs_without_faults_do_all_that_there_is_to_do(backend: Backend) -> None:
    """Chance decides which game server claims, so that not each of them does."""
    missing = {
        "enqueue", "dequeue", "commit", "handoff", "redeliver", "give_back",
        "set_aside", "expire", "scan", "fetch", "XADD", "heartbeat", "XREADGROUP", "XREAD",
        "SUBSCRIBE", "PUBLISH",
    }  # fmt: skip
    for seed in range(WITHOUT_FAULTS_SEED, WITHOUT_FAULTS_SEED + 12):
        outcome = perform(backend, Job.parse(f"everything:{seed}:"))
        assert outcome.broken == ()
        assert outcome.matches >= 4
        missing -= set(outcome.operations)
    assert not missing


@pytest.mark.parametrize(
    "seed",
    [
        60,  # queued again by a request that a killed server had read before the match
        123,  # the same
        132,  # asked to leave and to come back while no server ran
        155,  # EnQueued told again after DeQueued
        228,  # EnQueued told again to a player of a match
        19,  # confirmed, and killed before it could hear so
        9,  # EnQueued told again long after the match, when the player had asked anew
    ],
)
def test_seeds_that_once_failed(backend: Backend, seed: int) -> None:
    assert perform(backend, Job(scenario="random", seed=seed, dice=True)).broken == ()


@pytest.mark.parametrize(
    "job",
    [
        # asked anew before the first request was done, and each was done after the other
        (
            "random:80877:8=NOT_SENT,42=REDIS_RESTARTED,44=KILLED_AFTER,86=REDIS_RESTARTED,"
            "100=SLOW_REPLY,112=NOT_SENT,161=REDIS_RESTARTED,187=REDIS_RESTARTED"
        ),
        # DeQueued told once more while the player was coming back
        (
            "random:86537:5=SLOW_REPLY,31=SLOW_REPLY,52=NOT_SENT,101=BUSY,102=SLOW_REPLY,"
            "133=SLOW_REPLY,150=REDIS_RESTARTED,158=SLOW_APPLY,219=REDIS_RESTARTED"
        ),
        # four leases in a row that a pod let pass
        "random:85612:dice",
        # taken out after the longest wait, and queued by a request that had waited for a server
        (
            "random+freezes+subscribers+unequal+black-hole:205339:3=KILLED_AFTER,"
            "14=SUBSCRIBER_DROPPED,16=SUBSCRIBER_DROPPED,19=SUBSCRIBER_DROPPED,"
            "57=SUBSCRIBERS_DROPPED,94=FROZEN_AFTER,130=REPLY_LOST,149=SUBSCRIBER_DROPPED,"
            "175=REDIS_RESTARTED,189=SUBSCRIBER_DROPPED,200=SUBSCRIBER_DROPPED,218=REDIS_RESTARTED,"
            "232=SUBSCRIBER_DROPPED,299=FROZEN_AFTER,302=SUBSCRIBER_DROPPED,308=FROZEN_BEFORE,"
            "313=FROZEN_BEFORE,363=KILLED_BEFORE,393=SLOW_REPLY,394=SUBSCRIBER_DROPPED,"
            "395=SUBSCRIBER_DROPPED,440=SUBSCRIBER_DROPPED"
        ),
        # the server with the newest settings was frozen, and the other went on without it
        (
            "random+freezes+unequal+several+different:207274:2=KILLED_BEFORE,21=REDIS_RESTARTED,"
            "122=FROZEN_AFTER,136=OOM,156=LOADING,207=FROZEN_BEFORE,237=FROZEN_BEFORE,"
            "283=FROZEN_BEFORE,286=FROZEN_AFTER,312=FROZEN_AFTER,407=FROZEN_BEFORE,413=FROZEN_AFTER,"
            "457=READONLY,546=FROZEN_BEFORE,550=FROZEN_BEFORE"
        ),
        # asked of another queue before the match, done after it, and one more asked for since
        (
            "random+freezes+unequal+several+different:207402:35=KILLED_AFTER,53=FROZEN_AFTER,"
            "68=FROZEN_AFTER,134=FROZEN_BEFORE,162=REDIS_RESTARTED,170=NOT_SENT,175=FROZEN_AFTER,"
            "238=FROZEN_AFTER,311=KILLED_BEFORE,452=OOM,467=FROZEN_BEFORE,514=FROZEN_AFTER"
        ),
        # the news of a match was forgotten before the match, since the clock had stepped
        (
            "random+clocks+status:850035:60=CLOCK_BACK,102=OOM,162=SLOW_REPLY,250=CLOCK_BACK,"
            "270=REDIS_RESTARTED,333=SLOW_REPLY,348=SUBSCRIBERS_DROPPED,437=CLOCK_FORWARD"
        ),
    ],
)
def test_runs_that_the_judge_once_got_wrong(backend: Backend, job: str) -> None:
    assert perform(backend, Job.parse(job)).broken == ()


@pytest.mark.parametrize(
    "job",
    [
        # a copy was sent, or read, when what came of the first was forgotten
        (
            "random+freezes:9:7=FROZEN_BEFORE,32=FROZEN_BEFORE,47=SLOW_REPLY,55=KILLED_AFTER,"
            "63=FROZEN_AFTER,82=FROZEN_BEFORE,84=FROZEN_BEFORE,90=SUBSCRIBERS_DROPPED"
        ),
        (
            "random+freezes:142:10=FROZEN_BEFORE,26=REDIS_RESTARTED,75=FROZEN_BEFORE,"
            "115=FROZEN_BEFORE,126=FROZEN_BEFORE,133=FROZEN_AFTER,246=FROZEN_AFTER"
        ),
        (
            "random+freezes:277:4=FROZEN_AFTER,16=FROZEN_BEFORE,31=FROZEN_AFTER,"
            "161=FROZEN_BEFORE,278=FROZEN_BEFORE,300=SLOW_REPLY"
        ),
        # the same, since the clock by which it is forgotten stepped forward
        (
            "random+clocks:541:92=SUBSCRIBERS_DROPPED,93=CLOCK_FORWARD,109=OOM,126=LOADING,"
            "153=SUBSCRIBERS_DROPPED,158=KILLED_BEFORE,181=CLOCK_FORWARD,184=CLOCK_FORWARD"
        ),
        # asked of another queue before the match, and done after it
        "random+several:83:48=BUSY,176=REPLY_LOST,229=KILLED_BEFORE",
        "random+pubsub+several:160:16=SUBSCRIBERS_DROPPED,180=BUSY,296=KILLED_BEFORE",
    ],
)
def test_twisted_runs_that_once_failed(backend: Backend, job: str) -> None:
    assert perform(backend, Job.parse(job)).broken == ()


def test_nothing_of_a_run_is_left_for_the_next(backend: Backend) -> None:
    """It ends as a server is frozen for long."""
    perform(backend, Job.parse("random+freezes+subscribers+unequal+black-hole:205501:dice"))
    assert not [each for each in gc.get_objects() if isinstance(each, SimTask) and not each.done()]


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_hundreds_of_seeds_and_a_part_of_every_single_fault() -> None:
    command = [sys.executable, "-m", "proof.simulate", "--seeds", "200", "--every", "50"]
    if "PYTEST_XDIST_WORKER" in os.environ:  # the other processors have other tests
        command += ["--processes", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

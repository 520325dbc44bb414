"""Names of keys: as documented without a realm, and apart from all others in one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from matchkeeper.domain.realm import QueueName
from matchkeeper.store import keys

RANKED = QueueName.of("Ranked")
OF_EU = QueueName.of("Ranked", "eu")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (keys.queue, "queue"),
        (keys.metadata, "metadata"),
        (keys.pending, "pending"),
        (keys.matched, "matched"),
        (keys.leaving, "leaving"),
        (keys.claimers, "claimers"),
        (keys.dead, "dead"),
        (keys.history, "history"),
    ],
)
def test_a_queue_of_a_realm_has_keys_of_its_own(
    make: Callable[[QueueName], str], name: str
) -> None:
    assert make(RANKED) == f"{name}:{{ranked}}"
    assert make(OF_EU) == f"{name}:{{eu}}:ranked"


def test_what_belongs_to_a_queue_has_its_realm_too() -> None:
    assert keys.match(OF_EU, "m1") == "match:{eu}:ranked:m1"
    assert keys.seen(OF_EU, "f") == "seen:{eu}:ranked:f"
    assert keys.answered(OF_EU, "t") == "answered:{eu}:ranked:t"
    assert keys.trace(OF_EU, "p1") == b"trace:{eu}:ranked:p1"


@pytest.mark.parametrize("queue", [RANKED, OF_EU, QueueName(realm="eu", mode="a:b")])
def test_a_queue_is_found_by_its_key(queue: QueueName) -> None:
    assert keys.queue_of(keys.queue(queue)) == queue

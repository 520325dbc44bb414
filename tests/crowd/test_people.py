"""Who comes when, with what behaviour, and what they write. All pure."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowd.behaviours import Behaviour, PodBehaviour
from crowd.mix import Mix
from crowd.people import CrowdOptions, Group, Pace, Person, crowd, so_many
from crowd.requests import Names, Writer
from matchkeeper.wire.codes import WireError
from matchkeeper.wire.requests import RequestKind, decode

WEIGHTS = st.floats(min_value=0.001, max_value=1e6)


def options(**changes: object) -> CrowdOptions:
    given_: dict[str, object] = {
        "pace": Pace(rate=10),
        "behaviours": Mix(tuple((each, 1.0) for each in Behaviour)),
        "modes": Mix((("Normal", 1.0), ("Ranked", 3.0))),
        "too_large": {"Normal": 3, "Ranked": 6},
        "homes": 3,
        "seed": 7,
    }
    return CrowdOptions(**{**given_, **changes})  # type: ignore[arg-type]


def first(count: int, **changes: object) -> list[Person]:
    groups = so_many(crowd(options(**changes)), count)
    return [each for group in groups for each in group][:count]


@given(st.dictionaries(st.sampled_from(PodBehaviour), WEIGHTS, min_size=1), st.integers(0, 200))
def test_a_mix_spread_over_servers_keeps_its_proportions(
    weights: dict[PodBehaviour, float], count: int
) -> None:
    found = Counter(Mix(tuple(weights.items())).spread(count))
    assert found.total() == count
    total = sum(weights.values())
    for each, weight in weights.items():
        assert abs(found[each] - count * weight / total) < 1


def test_what_has_no_weight_is_never_picked() -> None:
    mix = Mix(((Behaviour.QUITS, 0.0), (Behaviour.NORMAL, 1.0), (Behaviour.TWICE, 0.0)))
    rng = random.Random(1)
    pick = mix.picker(rng)
    assert {pick() for _ in range(1000)} == {Behaviour.NORMAL}

    class Last(random.Random):
        def random(self) -> float:
            return 1.0  # one more than there is: rounding must not lead behind the end

    assert mix.picker(Last())() is Behaviour.NORMAL


@given(
    rate=st.floats(0.1, 5000),
    ramp=st.floats(0, 600),
    players=st.floats(0.01, 1e6),
)
def test_so_many_come_in_the_time_until_they_have(rate: float, ramp: float, players: float) -> None:
    seconds = Pace(rate=rate, ramp_seconds=ramp).until(players)
    in_ramp = min(seconds, ramp)
    ramped = rate * in_ramp**2 / (2 * ramp) if ramp else 0.0
    come = ramped + rate * max(0.0, seconds - ramp)
    assert come == pytest.approx(players, rel=1e-6, abs=1e-6)


@given(seed=st.integers(0, 2**32), ramp=st.floats(0, 100), rate=st.floats(0.1, 1000))
def test_the_crowd_comes_in_order_and_the_same_with_the_same_seed(
    seed: int, ramp: float, rate: float
) -> None:
    pace = Pace(rate=rate, ramp_seconds=ramp)
    people = first(50, seed=seed, pace=pace)
    assert people == first(50, seed=seed, pace=pace)
    assert [each.number for each in people] == list(range(50))
    assert all(one.at <= next_.at for one, next_ in pairwise(people))
    assert all(0 <= each.home < 3 for each in people)


def test_another_seed_is_another_crowd() -> None:
    assert first(50, seed=1) != first(50, seed=2)


FRIENDS = {"Ranked": Mix(((1, 50.0), (2, 30.0), (5, 20.0)))}


def groups(count: int, **changes: object) -> list[Group]:
    return list(islice(crowd(options(**changes)), count))


def test_as_many_players_come_with_friends_as_was_said_and_only_where_it_was() -> None:
    normal = Mix(((Behaviour.NORMAL, 1.0),))
    found = groups(10_000, behaviours=normal, parties=FRIENDS)
    ranked = [each for each in found if each[0].mode == "Ranked"]
    players = Counter(len(each) for each in ranked for _ in each)
    for size, share in ((1, 0.5), (2, 0.3), (5, 0.2)):
        assert players[size] / players.total() == pytest.approx(share, abs=0.02)
    assert {len(each) for each in found if each[0].mode == "Normal"} == {1}


def test_a_party_comes_at_one_moment_with_one_wish_and_numbers_in_a_row() -> None:
    come = 0
    for group in groups(500, parties=FRIENDS):
        assert [each.number for each in group] == list(group[0].together)
        assert group[0].number == come
        come += len(group)
        assert len({(each.at, each.behaviour, each.mode, each.together) for each in group}) == 1
    homes = {len({each.home for each in group}) for group in groups(500, parties=FRIENDS)}
    assert max(homes) > 1


def test_the_pace_is_one_of_players_with_parties_too() -> None:
    people = first(20_000, pace=Pace(rate=1000), parties=FRIENDS)
    assert people[-1].at == pytest.approx(20, rel=0.05)


def test_who_is_too_many_is_as_many_as_the_mode_says() -> None:
    too_many = Mix(((Behaviour.TOO_LARGE, 1.0),))
    found = {(each[0].mode, len(each)) for each in groups(50, behaviours=too_many)}
    assert found == {("Normal", 3), ("Ranked", 6)}


def test_the_last_party_comes_whole() -> None:
    parties = {"Ranked": Mix(((5, 1.0),)), "Normal": Mix(((5, 1.0),))}
    normal = Mix(((Behaviour.NORMAL, 1.0),))
    come = list(so_many(crowd(options(behaviours=normal, parties=parties)), 7))
    assert [len(each) for each in come] == [5, 5]


def test_the_rate_is_kept_and_the_ramp_is_slower() -> None:
    steady = first(20_000, pace=Pace(rate=1000))
    assert steady[-1].at == pytest.approx(20, rel=0.05)
    ramped = first(20_000, pace=Pace(rate=1000, ramp_seconds=10))
    assert ramped[-1].at == pytest.approx(25, rel=0.05)
    in_first_second = sum(1 for each in ramped if each.at < 1)
    assert in_first_second == pytest.approx(50, abs=30)


def test_the_mix_shows_in_the_crowd() -> None:
    mix = Mix(((Behaviour.NORMAL, 9.0), (Behaviour.QUITS, 1.0)))
    found = Counter(each.behaviour for each in first(10_000, behaviours=mix))
    assert found[Behaviour.QUITS] == pytest.approx(1000, rel=0.15)
    assert found.total() == 10_000


def test_names_are_read_back_and_those_of_others_are_not() -> None:
    names = Names(run="swarm-1a")
    assert names.number(names.player(17)) == 17
    for other in ("swarm-2b-17", "swarm-1a-x", "swarm-1a-", "17", "", "swarm-1a-٣", "swarm-1a--1"):
        assert names.number(other) is None
    assert names.number("swarm-1a-" + "9" * 100) is None


def test_names_of_parties_are_read_back_as_their_players() -> None:
    names = Names(run="swarm-1a")
    assert names.players(names.party(range(17, 20))) == range(17, 20)
    assert names.players(names.player(17)) == range(17, 18)
    for other in ("swarm-2b-17-to-19", "swarm-1a-17-to-", "swarm-1a-17-to-x", "swarm-1a-9-to-2"):
        assert not names.players(other)


def of(behaviour: Behaviour, **changes: object) -> list[Group]:
    return groups(8, behaviours=Mix(((behaviour, 1.0),)), **changes)


PAIRS = {mode: Mix(((2, 1.0),)) for mode in ("Normal", "Ranked")}


@pytest.mark.parametrize("parties", [{}, PAIRS])
@pytest.mark.parametrize("behaviour", [each for each in Behaviour if each != "too_large"])
def test_the_server_reads_each_request_as_the_behaviour_wants(
    behaviour: Behaviour, parties: dict[str, Mix[int]]
) -> None:
    writer = Writer(names=Names(run="r"), metadata_bytes=200, max_message_bytes=4096)
    for group in of(behaviour, parties=parties):
        requests = writer.enqueues(group)
        assert len(requests) == (2 if behaviour is Behaviour.TWICE else 1)
        code, modes = None, set()
        for request in requests:
            try:
                read = decode(RequestKind.ENQUEUE, request.body, max_bytes=4096)
                modes.add(read.game_mode)
            except WireError as error:
                code = error.code
        if behaviour is Behaviour.UNKNOWN_MODE:
            assert modes == {"r-no-such-mode"}
        else:
            assert code == behaviour.refusal
        if behaviour is Behaviour.NORMAL:
            assert len(json.dumps(read.metadata)) >= 200
            assert modes == {group[0].mode}
            names = [writer.names.player(each.number) for each in group]
            pods = [writer.names.pod(each.home) for each in group]
            if parties:
                assert [(each.player_id, each.pod_id) for each in read.party] == list(
                    zip(names, pods, strict=True)
                )
            else:
                assert (read.player_id, read.pod_id) == (names[0], pods[0])


def test_two_requests_of_one_player_are_two_and_a_dequeue_sent_again_is_one() -> None:
    writer = Writer(names=Names(run="r"))
    first, second = writer.enqueues(of(Behaviour.TWICE)[0])
    prints = {
        decode(RequestKind.ENQUEUE, each.body, max_bytes=4096).fingerprint
        for each in (first, second)
    }
    assert len(prints) == 2
    assert writer.dequeue(1, "m", 0, turn=1) == writer.dequeue(1, "m", 0, turn=1)
    assert writer.dequeue(1, "m", 0, turn=1) != writer.dequeue(1, "m", 0, turn=2)
    decode(RequestKind.DEQUEUE, writer.dequeue(1, "m", 0).body, max_bytes=4096)
    leave = writer.dequeue_party(range(3, 5), "m", 0)
    read = decode(RequestKind.DEQUEUE, leave.body, max_bytes=4096)
    assert (read.party_id, leave.about) == ("r-3-to-4", range(3, 5))

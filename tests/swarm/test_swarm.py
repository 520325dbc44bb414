"""The swarm's options and figures. All pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowd.behaviours import Behaviour
from matchkeeper.cli.swarm_options import parse_mix, parse_modes
from matchkeeper.errors import ConfigError, MatchkeeperError
from matchkeeper.store.address import host_of, is_local
from matchkeeper.swarm.figures import Durations, Timeline
from matchkeeper.swarm.tally import Neutral, Tally, Thresholds, checks

WEIGHTS = st.floats(min_value=0.001, max_value=1e6)


@given(st.dictionaries(st.sampled_from(Behaviour), WEIGHTS, min_size=1))
def test_a_mix_is_read_as_it_is_written(weights: dict[Behaviour, float]) -> None:
    text = ",".join(f"{each} = {weight!r}" for each, weight in weights.items())
    assert dict(parse_mix(text, Behaviour, option="--mix").weights) == weights


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("norml=3", "there is no 'norml'"),
        ("", "there is no ''"),
        ("normal=x", "the weight of normal is 'x'"),
        ("normal=-1", "the weight of normal is '-1'"),
        ("normal=nan", "the weight of normal is 'nan'"),
        ("normal=inf", "the weight of normal is 'inf'"),
        ("normal=", "the weight of normal is ''"),
        ("normal=1,normal=2", "normal stands twice"),
        ("normal=0,quits=0", "all weights are 0"),
    ],
)
def test_a_wrong_mix_is_explained(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as failure:
        parse_mix(text, Behaviour, option="--mix")
    assert said in failure.value.message
    assert failure.value.message.startswith("--mix: ")
    assert failure.value.hint


def test_the_error_lists_what_is_known_and_guesses() -> None:
    with pytest.raises(ConfigError) as failure:
        parse_mix("norml", Behaviour, option="--mix")
    assert "Did you mean normal?" in failure.value.hint
    assert all(each.value in failure.value.hint for each in Behaviour)


def test_modes_have_names_and_weights() -> None:
    assert parse_modes(["Normal", "Ranked=3"]).weights == (("Normal", 1.0), ("Ranked", 3.0))
    for wrong in (["=3"], [""], ["Normal", "Normal=2"], ["Normal=much"], ["Normal=0"]):
        with pytest.raises(ConfigError, match="--mode"):
            parse_modes(wrong)


@given(st.lists(st.floats(0, 10_000), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_within_a_bucket(values: list[float], share: float) -> None:
    durations = Durations()
    for value in values:
        durations.add(value)
    rank = max(1, -(-share * len(values) // 1))
    exact = sorted(values)[int(rank) - 1]
    found = durations.quantile(share)
    assert found is not None
    assert exact * 0.999 - 1e-9 <= found <= max(0.001, exact * 1.051)
    assert durations.longest == max(values)
    assert sum(count for _, _, count in durations.bars(7)) == len(values)
    assert len(durations.bars(7)) <= 7


def test_of_nothing_there_is_no_quantile() -> None:
    assert Durations().quantile(0.5) is None
    assert Durations().bars(5) == []


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=60))
def test_a_long_timeline_loses_nothing_and_stays_short(moments: list[float]) -> None:
    timeline = Timeline(slots=8, slot_seconds=0.5)
    for moment in moments:
        timeline.at(moment).counts["asked"] += 1
        timeline.at(moment).waits.add(1.0)
    slots = list(timeline)
    assert len(slots) <= 8
    assert sum(slot.counts["asked"] for _, slot in slots) == len(moments)
    assert sum(slot.waits.count for _, slot in slots) == len(moments)
    assert slots[-1][0] <= max(moments) < slots[-1][0] + timeline.slot_seconds


def test_thresholds_are_met_or_missed() -> None:
    tally = Tally()
    tally.ends[Behaviour.NORMAL].right = 98
    tally.ends[Behaviour.NORMAL].wrong["expired"] = 2
    tally.ends[Behaviour.NORMAL].neutral[Neutral.NO_PARTNER] = 50
    tally.errors["expired"] = 2
    for _ in range(100):
        tally.waits.add(2.0)

    def met(**thresholds: float) -> list[bool]:
        chosen = Thresholds(**{"min_success": None, **thresholds})  # type: ignore[arg-type]
        return [each.met for each in checks(tally, chosen)]

    assert met() == []
    assert met(min_success=0.98, max_p95_wait_seconds=2.2, max_errors=2) == [True] * 3
    assert met(min_success=0.981, max_p95_wait_seconds=1.9, max_errors=1) == [False] * 3


def test_nothing_measured_meets_no_threshold() -> None:
    found = checks(Tally(), Thresholds(min_success=0, max_p95_wait_seconds=100, max_errors=0))
    assert [each.met for each in found] == [False, False, True]


def test_a_missed_limit_is_never_rounded_up_to_it() -> None:
    tally = Tally()
    tally.ends[Behaviour.NORMAL].right = 98_999_999
    tally.ends[Behaviour.NORMAL].wrong["expired"] = 1_000_001
    (check,) = checks(tally, Thresholds(min_success=0.99))
    assert not check.met
    assert check.found == "98.999 %"
    assert check.limit == "≥ 99 %"


@pytest.mark.parametrize(
    ("url", "host", "local"),
    [
        ("redis://localhost:6379", "localhost", True),
        ("redis://LocalHost", "localhost", True),
        ("redis://127.0.0.1:7/0", "127.0.0.1", True),
        ("rediss://user:secret@127.8.9.1", "127.8.9.1", True),
        ("redis://[::1]:6379", "::1", True),
        ("redis://", "localhost", True),
        ("unix:///run/redis.sock", None, True),
        ("valkey://10.0.0.1", "10.0.0.1", False),
        ("valkeys://cache.example.org", "cache.example.org", False),
        ("redis://localhost@evil.example.org", "evil.example.org", False),
        ("redis://127.0.0.1.example.org", "127.0.0.1.example.org", False),
        ("redis://?host=evil.example.org", "evil.example.org", False),
        ("redis://ev%69l.example.org", "evil.example.org", False),
        ("unix://?host=evil.example.org", "evil.example.org", False),
        ("redis://0.0.0.0", "0.0.0.0", False),  # noqa: S104
    ],
)
def test_where_a_url_leads(url: str, host: str | None, local: bool) -> None:
    assert host_of(url) == host
    assert is_local(url) is local


def test_a_url_that_cannot_be_used_is_explained() -> None:
    with pytest.raises(MatchkeeperError, match=r"redis\.url"):
        host_of("http://localhost")

"""The codec: what foreign bytes become, and what they can never do."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchkeeper.config import GameModeSettings
from matchkeeper.domain.match import seats_of
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.ticket import Member, Poison, PoisonedTicket, Ticket
from matchkeeper.wire import answers
from matchkeeper.wire.codes import ErrorCode, WireError
from matchkeeper.wire.limits import id_problem, too_deep
from matchkeeper.wire.metadata import normalise, read_ticket
from matchkeeper.wire.metadata_text import BadMetadataError
from matchkeeper.wire.offers import battle_request, filled_in
from matchkeeper.wire.requests import RequestKind, decode, kind_of
from tests.support.tickets import lone, told

NORMAL = GameMode(name="Normal")
RANKED = GameModeSettings(game_mode="Ranked", use_mmr_matching=True).to_domain(
    max_metadata_bytes=65_536
)
LIMIT = 65536


def enqueue(**fields: object) -> bytes:
    message = {"player_id": "p1", "game_mode": "Normal", "metadata": {}, "pod_id": "pod-a"}
    return json.dumps(message | fields).encode()


def refusal(payload: bytes, kind: RequestKind = RequestKind.ENQUEUE) -> WireError:
    with pytest.raises(WireError) as caught:
        decode(kind, payload, max_bytes=LIMIT)
    return caught.value


def test_metadata_may_be_an_object_or_a_string_that_holds_one() -> None:
    plain = decode(RequestKind.ENQUEUE, enqueue(metadata={"mmr": 7}), max_bytes=LIMIT)
    text = decode(RequestKind.ENQUEUE, enqueue(metadata='{"mmr": 7}'), max_bytes=LIMIT)
    assert json.loads(plain.metadata) == json.loads(text.metadata) == {"mmr": 7, "pod_id": "pod-a"}


def test_unknown_fields_are_ignored_and_metadata_may_be_absent() -> None:
    request = decode(
        RequestKind.ENQUEUE,
        b'{"player_id":"p","game_mode":"Normal","pod_id":"a","new":[1]}',
        max_bytes=LIMIT,
    )
    assert json.loads(request.metadata) == {"pod_id": "a"}


@pytest.mark.parametrize(
    ("payload", "code", "pod_id"),
    [
        (b"", ErrorCode.INVALID_MESSAGE_FORMAT, None),
        (b"[]", ErrorCode.INVALID_MESSAGE_FORMAT, None),
        (b'{"player_id":"p"', ErrorCode.INVALID_MESSAGE_FORMAT, None),
        (b'{"player_id":"p","pod_id":"a"', ErrorCode.INVALID_MESSAGE_FORMAT, "a"),
        (b'{"player_id":"p","pod_id":"a"}', ErrorCode.INVALID_MESSAGE_FORMAT, "a"),
        (enqueue(player_id=7), ErrorCode.INVALID_MESSAGE_FORMAT, "pod-a"),
        (enqueue(player_id=""), ErrorCode.INVALID_PLAYER_ID, "pod-a"),
        (enqueue(player_id="x" * 129), ErrorCode.INVALID_PLAYER_ID, "pod-a"),
        (enqueue(player_id="a\nb"), ErrorCode.INVALID_PLAYER_ID, "pod-a"),
        (enqueue(pod_id="a\x00"), ErrorCode.INVALID_POD_ID, None),
        (enqueue(request_id=""), ErrorCode.INVALID_MESSAGE_FORMAT, "pod-a"),
        (enqueue(metadata=[]), ErrorCode.INVALID_METADATA, "pod-a"),
        (enqueue(metadata="{"), ErrorCode.INVALID_METADATA, "pod-a"),
        (enqueue(metadata="7"), ErrorCode.INVALID_METADATA, "pod-a"),
        (enqueue(metadata="[" * 33), ErrorCode.INVALID_METADATA, "pod-a"),
        (b'{"player_id":"\xff"}', ErrorCode.INVALID_MESSAGE_FORMAT, None),
        (b"[" * 33, ErrorCode.MESSAGE_TOO_DEEP, None),
        (b"[" * (LIMIT + 1), ErrorCode.MESSAGE_TOO_LARGE, None),
    ],
)
def test_bad_messages_are_refused_with_a_code_and_the_pod(
    payload: bytes, code: ErrorCode, pod_id: str | None
) -> None:
    error = refusal(payload)
    assert (error.code, error.pod_id) == (code, pod_id)


BASE = enqueue(metadata={"n": 1.5})


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (BASE.replace(b"1.5", b"NaN"), "byte 61), here: '"),
        (BASE.replace(b"1.5", b"-Infinity"), '"n": -Infinity}'),
        (BASE.replace(b"1.5", b"007"), "invalid number"),
        (BASE.replace(b"1.5", b"None"), '"n": None}'),
        (BASE.replace(b"1.5", b'"\xe9"'), "not UTF-8: invalid continuation byte, here: "),
        (b"\xef\xbb\xbf" + BASE, "byte order mark"),
        (BASE.decode().encode("utf-16"), "UTF-16"),
        (BASE.decode().encode("utf-16-le"), "UTF-16-LE"),
        (BASE[:-1], "truncated"),
        (BASE + BASE, "trailing characters"),
        (str(json.loads(BASE)).encode(), "'player_id': 'p1'"),
        (json.dumps(BASE.decode()).encode(), "Expected `object`, got `str`"),
        (BASE.replace(b"_id", b"Id"), "missing required field `player_id`"),
        (BASE.replace(b'"Normal"', b"7"), "`$.game_mode`"),
        (BASE.replace(b"1.5", b'"%s"' % (b"x" * LIMIT)), f"{LIMIT} are allowed"),
        (BASE.replace(b"1.5", b"[" * 40 + b"]" * 40), "deeper than 32"),
        (BASE.replace(b'{"n"', b'{"player_id": "other", "pod_id": "other", "n": NaN'), "NaN"),
    ],
)
def test_who_sent_a_message_that_is_nearly_right_is_told_what_is_wrong(
    payload: bytes, said: str
) -> None:
    error = refusal(payload)
    assert (error.player_id, error.pod_id) == ("p1", "pod-a")
    assert said in error.message


@pytest.mark.parametrize("number", ["42", "-7", "4.20", "12345678901234567890"])
def test_a_number_where_an_id_belongs_names_whom_it_means(number: str) -> None:
    error = refusal(BASE.replace(b'"p1"', number.encode()))
    assert (error.player_id, error.pod_id) == (number, "pod-a")
    assert "`$.player_id`" in error.message
    assert refusal(BASE.replace(b'"pod-a"', number.encode())).pod_id == number


def test_text_that_could_not_be_read_is_no_id() -> None:
    error = refusal(BASE.replace(b"p1", b"\xe9"))
    assert (error.player_id, error.pod_id) == ("", "pod-a")


@pytest.mark.parametrize("kind", list(RequestKind))
def test_the_kind_of_a_stream_entry_may_be_in_any_case(kind: RequestKind) -> None:
    assert kind_of(kind.value.title(), b"") is kind
    assert kind_of(f" {kind.value.upper()}", b"") is kind


def test_another_kind_is_refused_to_its_sender() -> None:
    with pytest.raises(
        WireError, match=r"kind is 'leave'; write enqueue, dequeue or handoff"
    ) as caught:
        kind_of("leave", BASE)
    assert (caught.value.player_id, caught.value.pod_id) == ("p1", "pod-a")


def test_every_code_is_explained() -> None:
    for code in ErrorCode:
        assert code.meaning
        assert code.value == code.value.lower()


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    for kind in RequestKind:
        try:
            decode(kind, payload, max_bytes=LIMIT)
        except WireError:
            continue


@given(st.recursive(st.none() | st.text() | st.floats() | st.booleans(), st.lists, max_leaves=5))
def test_any_json_under_any_name_is_decoded_or_refused(value: object) -> None:
    for name in ("player_id", "game_mode", "metadata", "pod_id", "request_id"):
        payload = enqueue(**{name: value})
        try:
            request = decode(RequestKind.ENQUEUE, payload, max_bytes=LIMIT)
        except WireError:
            continue
        else:
            json.loads(request.metadata)


@given(st.integers(0, 60), st.booleans())
def test_depth_is_counted_outside_of_strings(depth: int, in_string: bool) -> None:
    text = b"[" * depth + b"]" * depth
    if in_string:
        text = b'"' + text + b'\\"["'
    assert too_deep(text) is (depth > 32 and not in_string)


@given(st.text(max_size=140))
def test_an_id_that_is_accepted_can_be_sent_and_logged(text: str) -> None:
    if id_problem("player_id", text) is None:
        assert 0 < len(text) <= 128
        assert text.encode()
        assert "\n" not in text


def test_an_id_names_a_request_of_one_player_in_one_mode() -> None:
    def fingerprint(**fields: object) -> str:
        return decode(RequestKind.ENQUEUE, enqueue(**fields), max_bytes=LIMIT).fingerprint

    assert fingerprint() == ""
    assert fingerprint(request_id="r", metadata={"a": 1}) == fingerprint(request_id="r")
    assert fingerprint(request_id="r") != fingerprint(request_id="r", player_id="p2")
    assert fingerprint(request_id="r") != fingerprint(request_id="r", game_mode="Other")


@pytest.mark.parametrize(
    ("raw", "reason", "kind"),
    [
        (b"{oops", "Invalid JSON: ", Poison.INVALID_JSON),
        (b"\xff", "Invalid JSON: ", Poison.INVALID_JSON),
        (b"[" * 100_000, "Invalid JSON: nested deeper", Poison.INVALID_JSON),
        (b"[]", "metadata is not a JSON object", Poison.NOT_AN_OBJECT),
        (b"{}", "pod_id not found", Poison.POD_ID_NOT_FOUND),
        (b'{"pod_id":null}', "pod_id not found", Poison.POD_ID_NOT_FOUND),
        (b'{"pod_id":7}', "pod_id is not a string", Poison.INVALID_POD_ID),
        (b'{"pod_id":""}', "pod_id is empty", Poison.INVALID_POD_ID),
        (b'{"pod_id":"a","mmr":"high"}', "mmr is not a number but str", Poison.INVALID_MMR),
        (b'{"pod_id":"a","mmr":true}', "mmr is not a number but bool", Poison.INVALID_MMR),
        (b'{"pod_id":"a","mmr":1e999}', "", Poison.INVALID_JSON),
        (b'{"pod_id":"a","mmr":NaN}', "Invalid JSON: ", Poison.INVALID_JSON),
        (b'{"x":"%s"}' % (b"y" * 2**20), "metadata has more than", Poison.METADATA_TOO_LARGE),
    ],
)
def test_what_cannot_be_used_is_poisoned_with_its_reason(
    raw: bytes, reason: str, kind: Poison
) -> None:
    ticket = read_ticket("p1", 1.0, raw, RANKED)
    assert isinstance(ticket, PoisonedTicket)
    assert ticket.reason.startswith(reason)
    assert ticket.kind is kind


def test_a_bad_rating_does_not_matter_where_ratings_do_not() -> None:
    raw = b'{"pod_id":"a","mmr":"high"}'
    assert isinstance(read_ticket("p1", 1.0, raw, NORMAL), Ticket)


@given(st.binary(max_size=200))
def test_any_metadata_is_a_ticket_or_poisoned(raw: bytes) -> None:
    read_ticket("p1", 1.0, raw, RANKED)
    try:
        metadata = normalise(raw, "pod")
    except BadMetadataError:
        return
    assert json.loads(metadata)["pod_id"] == "pod"


def ticket(player_id: str, since: float = 1_700_000_000.75) -> Ticket:
    return lone(player_id, since=since)


METADATA = '{"pod_id":"a","x":[1]}'


def test_a_battle_request_of_two_is_what_existing_servers_parse() -> None:
    seats = seats_of(((ticket("p1"),), (ticket("p2"),)), 2)
    pieces = battle_request(seats, NORMAL, match_id="m", epoch=1, claim_within_seconds=0)
    payload = filled_in(pieces, [METADATA, METADATA]).encode()
    message = json.loads(payload)
    assert message["player1"] == {
        "player_id": "p1",
        "score": 1_700_000_000,
        "pod_id": "a",
        "metadata": {"pod_id": "a", "x": [1]},
    }
    assert (message["match_id"], message["game_mode"]) == ("m", "Normal")
    assert "teams" not in message
    assert [player.player_id for player in answers.decode_battle_request(payload).players] == [
        "p1",
        "p2",
    ]


def test_more_than_two_players_stand_in_teams_and_hear_of_their_team() -> None:
    teams = ((ticket("a1"), ticket("a2")), (ticket("b1"), ticket("b2")))
    pieces = battle_request(
        seats_of(teams, 2), NORMAL, match_id="m", epoch=2, claim_within_seconds=5
    )
    payload = filled_in(pieces, [METADATA] * 4)
    message = json.loads(payload)
    assert [[c["player_id"] for c in team] for team in message["teams"]] == [
        ["a1", "a2"],
        ["b1", "b2"],
    ]
    assert "player1" not in message
    notices = [msgspec.json.decode(each) for _, each in told(teams, NORMAL)]
    found = {notice["player_id"]: notice["result_type"] for notice in notices}
    named = [["a1", "a2"], ["b1", "b2"]]
    assert found["a2"]["MatchFound"] == {
        "match_id": "m", "game_mode": "Normal", "team": 0, "teams": named, "claimed_by": None,
    }  # fmt: skip
    assert found["b1"]["MatchFound"]["team"] == 1


def test_of_a_match_of_two_both_hear_who_the_other_is() -> None:
    teams = ((ticket("p1"),), (ticket("p2"),))
    (_, first), (_, second) = told(teams, NORMAL)
    assert first == (
        '{"player_id":"p1","result_type":{"MatchFound":{"opponent_id":"p2","team":0,'
        '"match_id":"m","game_mode":"Normal","teams":[["p1"],["p2"]],"claimed_by":null}}}'
    )
    assert '"opponent_id":"p1"' in second


@pytest.mark.parametrize(("size", "named"), [(32, True), (34, False)])
def test_of_a_large_match_the_others_are_not_named(size: int, named: bool) -> None:
    mode = GameMode(name="Big", required_players=size)
    side = tuple(ticket(f"p{n}") for n in range(size // 2))
    (_, text), *_ = told((side, side), mode)
    found = msgspec.json.decode(text)["result_type"]["MatchFound"]
    assert ("teams" in found) is named
    assert (found["team"], found["claimed_by"]) == (0, None)


def test_everybody_of_a_ticket_hears_of_the_match_on_the_own_pod() -> None:
    members = (Member("a1", "pod-a"), Member("a2", "pod-b"))
    pair = Ticket(ticket_id="pair", members=members, enqueued_at=1.5, metadata_sum="")
    teams = ((pair,), (ticket("b1"), ticket("b2")))
    notices = told(teams, NORMAL)
    answered = [(pod, answers.decode_answer(text.encode())) for pod, text in notices]
    assert [each.party_id for _, each in answered] == ["pair", "pair", None, None]
    found = msgspec.json.decode(notices[2][1])["result_type"]["MatchFound"]
    assert found["teams"] == [["a1", "a2"], ["b1", "b2"]]
    assert found["parties"] == {"pair": ["a1", "a2"]}
    assert [(pod, each.player_id) for pod, each in answered] == [
        ("pod-a", "a1"), ("pod-b", "a2"), ("a", "b1"), ("a", "b2"),
    ]  # fmt: skip
    texts = {"pair": [b'{"mmr":1}', b"{}"]}
    offer = filled_in(
        battle_request(
            seats_of(teams, 2),
            NORMAL,
            match_id="m",
            epoch=1,
            claim_within_seconds=5,
            of_parties=texts,
        ),
        ["", METADATA, METADATA],  # nothing is put into a party's place
    )
    seats = answers.decode_battle_request(offer.encode()).players
    assert [(each.player_id, each.pod_id, each.score, each.party_id) for each in seats] == [
        ("a1", "pod-a", 1, "pair"), ("a2", "pod-b", 1, "pair"),
        ("b1", "a", 1_700_000_000, None), ("b2", "a", 1_700_000_000, None),
    ]  # fmt: skip
    assert [bytes(each.metadata).decode() for each in seats] == [
        '{"mmr":1}', "{}", METADATA, METADATA,
    ]  # fmt: skip


def test_a_party_that_fills_the_match_is_divided_into_the_teams_in_its_order() -> None:
    members = tuple(Member(f"a{n}", "pod") for n in range(1, 5))
    party = Ticket(ticket_id="all", members=members, enqueued_at=1.5, metadata_sum="")
    for teams in (((party,),), ((party,), ())):
        offer = battle_request(
            seats_of(teams, 2), NORMAL, match_id="m", epoch=1, claim_within_seconds=5,
            of_parties={"all": [b"1", b"2", b"3", b"4"]},
        )  # fmt: skip
        sides = json.loads(filled_in(offer, [""]))["teams"]
        assert [[(c["player_id"], c["metadata"]) for c in side] for side in sides] == [
            [("a1", 1), ("a2", 2)], [("a3", 3), ("a4", 4)],
        ]  # fmt: skip
        notices = told(teams, NORMAL)
        found = [msgspec.json.decode(text)["result_type"]["MatchFound"] for _, text in notices]
        assert [each["team"] for each in found] == [0, 0, 1, 1]


def test_answers_are_words_or_objects_of_one_key() -> None:
    assert answers.plain("p1", answers.ENQUEUED) == b'{"player_id":"p1","result_type":"EnQueued"}'
    error = answers.error("p1", ErrorCode.NOT_IN_QUEUE, "no")
    assert json.loads(error)["result_type"] == {"Error": {"code": "not_in_queue", "message": "no"}}
    assert answers.decode_answer(error).kind == "Error"


@pytest.mark.parametrize(
    "repeats",
    ["1-1\n", "1-1\r\n", " 1-1", "1-", "-1", "1-1-1", "1" * 16 + "-0", "\u0661-\u0661", 5, ["1-1"]],
)
def test_what_is_repeated_is_an_entry_that_scripts_can_read(repeats: object) -> None:
    body = {"player_id": "p1", "game_mode": "Normal", "pod_id": "a", "metadata": {}}
    good = json.dumps({**body, "repeats": "1-1"}).encode()
    assert decode(RequestKind.ENQUEUE, good, max_bytes=LIMIT).repeats == "1-1"
    for kind in RequestKind:
        with pytest.raises(WireError) as caught:
            decode(kind, json.dumps({**body, "repeats": repeats}).encode(), max_bytes=LIMIT)
        assert caught.value.code is ErrorCode.INVALID_MESSAGE_FORMAT
        assert caught.value.player_id == "p1"

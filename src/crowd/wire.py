"""The wire as an outsider reads it: plain JSON, nothing of the server's own code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from crowd import handing
from crowd.history import Event, History, What


def packed(*args: str | bytes | float) -> bytes:
    """A command as it goes over the wire."""
    words = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
    parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)]
    return b"".join(parts)


def note(history: History, at: float, who: str, channel: str, payload: bytes) -> Event | None:
    """Notes a published message in a history, an offer or an answer to a pod, and returns it."""
    channel = _without_realm(channel)
    if channel == "battle:request":
        event = offered(at, who, json.loads(payload))
    elif channel.endswith(":match_result"):
        pod = channel.removeprefix("pod:").removesuffix(":match_result")
        answer = json.loads(payload)
        if "player_id" in answer:
            left_by = _text(answer.get("left_by"))
            event = told(at, pod, answer["player_id"], answer["result_type"], left_by=left_by)
        else:
            event = answered(at, pod, answer)
    else:
        return None
    history.see(event)
    return event


def note_again(history: History, at: float, channel: str, payload: bytes) -> None:
    """Notes a message that was heard twice: a request without an id is a new wish each time."""
    if _without_realm(channel) == "match:enqueue:request":
        request = json.loads(payload)
        if "request_id" not in request:
            mode = request["game_mode"].lower()
            history.add(What.ASKED, at, player=request["player_id"], mode=mode, word="enqueue")


def _without_realm(channel: str) -> str:
    """In the realm `eu`, `battle:request` is `battle:request:{eu}`."""
    return channel.partition(":{")[0]


def offered(at: float, who: str, offer: Mapping[str, Any]) -> Event:
    """A battle request that `who` heard. Raises KeyError where a field is missing."""
    teams = offer.get("teams") or [[offer["player1"], offer["player2"]]]
    return Event(
        at=at,
        what=What.OFFERED,
        who=who,
        match=offer["match_id"],
        epoch=offer["epoch"],
        mode=offer["game_mode"].lower(),
        word=offer["handoff"],
        players=tuple((each["player_id"], each["score"]) for team in teams for each in team),
        seats=tuple(
            (each["player_id"], each["party_id"], number)
            for number, team in enumerate(teams)
            for each in team
            if "party_id" in each
        ),
    )


def told(at: float, who: str, player: str, result: object, *, left_by: str = "") -> Event:
    """An answer to `who` about `player`, by its `result_type`. A wrong shape makes it empty."""
    word, about = result, None
    if isinstance(result, dict):
        word, about = next(iter(result.items()), ("", None))
    fields = about if isinstance(about, dict) else {}
    if word == "Status":
        return _status(at, who, player, fields)
    return Event(
        at=at,
        what=What.TOLD,
        who=who,
        player=player,
        word=_text(word),
        code=_text(fields.get("code")),
        match=_text(fields.get("match_id")),
        mode=_text(fields.get("game_mode")).lower(),
        players=tuple((player, 0) for player, _ in _named(fields.get("teams"))),
        by=_text(fields.get("claimed_by")),
        assignment=handing.text(fields.get("assignment")),
        secret=_text(fields.get("secret")),
        left_by=left_by,
        seats=_seats(fields),
    )


def _status(at: float, who: str, player: str, status: Mapping[str, Any]) -> Event:
    """Where a player is."""
    news = status.get("news")
    found = news.get("MatchFound") if isinstance(news, dict) else None
    match = found if isinstance(found, dict) else status
    return Event(
        at=at,
        what=What.TOLD,
        who=who,
        player=player,
        word="Status",
        code=_text(status.get("state")),
        match=_text(match.get("match_id")),
        mode=_text(match.get("game_mode")).lower(),
    )


def answered(at: float, who: str, answer: Mapping[str, Any]) -> Event:
    """What came of a message of `who` about a match. Raises KeyError where a field is missing."""
    came = answer["result_type"]["Handoff"]
    return Event(
        at=at,
        what=What.ANSWERED,
        who=who,
        match=answer["match_id"],
        epoch=came["epoch"],
        word=came["kind"],
        code=came["reply"],
        token=came["token"],
    )


def _named(teams: object) -> Iterator[tuple[str, int]]:
    """The players that `teams` names, team after team, and the team of each."""
    for number, team in enumerate(teams if isinstance(teams, list) else ()):
        for player in team if isinstance(team, list) else ():
            yield _text(player), number


def _seats(found: Mapping[str, Any]) -> tuple[tuple[str, str, int], ...]:
    """(player, party, team) of those whom `MatchFound` names as players of parties."""
    parties = found.get("parties")
    if not isinstance(parties, dict):
        return ()
    party_of = {
        _text(player): _text(party)
        for party, players in parties.items()
        for player in (players if isinstance(players, list) else ())
    }
    named = _named(found.get("teams"))
    return tuple((player, party_of[player], team) for player, team in named if player in party_of)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

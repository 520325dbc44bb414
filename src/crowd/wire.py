"""The wire as somebody outside reads it: plain JSON, nothing of the server's own code."""

from __future__ import annotations

import json
from typing import Any

from crowd.history import History, What


def packed(*args: str | bytes | float) -> bytes:
    """A command as it goes over the wire."""
    words = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
    parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)]
    return b"".join(parts)


def note(history: History, at: float, who: str, channel: str, payload: bytes) -> None:
    """Notes a published message in a history: an offer, or an answer to a pod."""
    if channel == "battle:request":
        _offer(history, at, who, json.loads(payload))
    elif channel.endswith(":match_result"):
        pod = channel.removeprefix("pod:").removesuffix(":match_result")
        _answer(history, at, pod, json.loads(payload))


def note_again(history: History, at: float, channel: str, payload: bytes) -> None:
    """Notes a message that was heard twice: a request without an id is a new wish each time."""
    if channel == "match:enqueue:request":
        request = json.loads(payload)
        if "request_id" not in request:
            mode = request["game_mode"].lower()
            history.add(What.ASKED, at, player=request["player_id"], mode=mode, word="enqueue")


def _offer(history: History, at: float, who: str, offer: dict[str, Any]) -> None:
    teams = offer.get("teams")
    pair = [offer["player1"], offer["player2"]] if not teams else []
    players: list[dict[str, Any]] = [each for team in teams or [pair] for each in team]
    history.add(
        What.OFFERED,
        at,
        who=who,
        match=offer["match_id"],
        epoch=offer["epoch"],
        mode=offer["game_mode"].lower(),
        word=offer["handoff"],
        players=tuple((player["player_id"], player["score"]) for player in players),
    )


def _answer(history: History, at: float, who: str, answer: dict[str, Any]) -> None:
    result = answer["result_type"]
    word = result if isinstance(result, str) else next(iter(result))
    fields = {} if isinstance(result, str) else result[word]
    history.add(
        What.TOLD,
        at,
        who=who,
        player=answer["player_id"],
        word=word,
        code=fields.get("code", ""),
        match=fields.get("match_id", ""),
    )

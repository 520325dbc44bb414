"""What a game server is tried for, point by point, and what came of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from matchkeeper.errors import MatchkeeperError


class ConformanceError(MatchkeeperError):
    """The program could not be tried, through no fault of its own."""

    exit_code = 3


class Point(StrEnum):
    """One thing that a good game server keeps."""

    _value_: str
    sentence: str
    """What it keeps."""
    advice: str
    """What to do where it does not."""

    def __new__(cls, name: str, sentence: str, advice: str) -> Self:
        """A member."""
        self = str.__new__(cls, name)
        self._value_ = name
        self.sentence, self.advice = sentence, advice
        return self

    LISTENS = (
        "listens",
        "listens to battle requests and to its own answers",
        "SUBSCRIBE to BATTLE_CHANNEL and RESULT_CHANNEL at REDIS_URL before anything else.",
    )
    ASKS = (
        "asks",
        "asks for its players as they wish, under its own name",
        'Send each line {"enqueue": …} on, with POD_ID as its pod_id and the metadata as it is.',
    )
    STARTS = (
        "starts",
        "claims a match, and starts it on the last word, once",
        "Claim, confirm, and say started when the answer is `started`, not before.",
    )
    TELLS = (
        "tells",
        "tells its players what became of them",
        'Pass on what comes on RESULT_CHANNEL: {"told": …, "news": …}.',
    )
    LEAVES = (
        "leaves",
        "takes a player out who leaves",
        'Send each line {"dequeue": …} on, and tell the player the answer.',
    )
    REFUSED = (
        "refused",
        "tells a player who was refused why, and goes on",
        "Pass on the `code` of an Error as news.",
    )
    RACE_LOST = (
        "race_lost",
        "starts nothing that another game server was faster to claim",
        "Only the answer `started` is a start. The players hear MatchFound all the same.",
    )
    LATE_CLAIM = (
        "late_claim",
        "starts nothing on a claim that came too late",
        "`old_epoch` and `too_late` mean: let it go.",
    )
    NEW_EPOCH = (
        "new_epoch",
        "takes a match that is offered again, under its new epoch",
        "Claim and confirm with the `epoch` of the newest offer, and with a new token.",
    )
    REFUSED_CONFIRM = (
        "refused_confirm",
        "starts nothing whose confirm was refused",
        "Wait for the answer to the confirm: only `started` is a start.",
    )
    ANSWER_LOST = (
        "answer_lost",
        "asks again for a player when the answer is lost",
        "After a second or two without an answer send the request again.",
    )
    CLAIM_LOST = (
        "claim_lost",
        "asks again when the answer to a claim is lost",
        "Connect and subscribe again, and send the same message with the same token.",
    )
    CONFIRM_LOST = (
        "confirm_lost",
        "asks again when the answer to a confirm is lost",
        "The match has started by then, and its players were told: ask again until it is answered.",
    )
    TWICE = (
        "twice",
        "starts a match once, although it hears of it twice",
        "Keep the ids of the matches that run.",
    )
    MALFORMED = (
        "malformed",
        "lives on when it hears what cannot be read",
        "Catch what goes wrong with one message, log it, and read on.",
    )
    UNKNOWN = (
        "unknown",
        "passes over fields, words and lines that it does not know",
        "Read the fields that you need. Servers may say more in later versions.",
    )
    COMES_BACK = (
        "comes_back",
        "connects and listens again when Redis is back",
        "Connect again after a pause, for as long as it takes, and subscribe again.",
    )
    REDIS_GONE = (
        "redis_gone",
        "asks later for a player who came while Redis was gone",
        "Keep what was not answered, and send it again once a second.",
    )
    KEEPS_NAME = (
        "keeps_name",
        "comes back under its own name after a kill -9",
        "Take the name from POD_ID; nothing else hears what was meant for it.",
    )
    KEEPS_PLAYERS = (
        "keeps_players",
        "asks again for its players after a kill -9, and plays with them",
        "Ask for each who is there, and take already_in_queue for what it says: the player waits.",
    )
    CUT_OFF = (
        "cut_off",
        "tells a player of a match that was found while its connection was away, once",
        "After each new connection ask for the `status` of all players who wait.",
    )
    LEARNS = (
        "learns",
        "learns of a match that started as it was killed, and tells its players",
        "Send the players' requests again with their request_id, or ask for their `status`.",
    )
    QUEUES_ONCE = (
        "queues_once",
        "queues nobody a second time whose match runs",
        "Send the `request_id` of the line on, or ask for `status` first: a new id is a new wish.",
    )
    IN_HAND = (
        "in_hand",
        "starts nothing that it had in hand at a kill -9, until it has it anew",
        "Forget matches without a last word; they are offered again.",
    )
    ENDS = (
        "ends",
        "ends by itself when its input ends",
        "End at the end of standard input, within some seconds, with exit code 0.",
    )
    BYE = (
        "bye",
        "says bye, if it has said heartbeat",
        "Else its players are held back until it counts as silent.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of a point."""

    point: Point
    evening: str
    kept: bool | None
    """None: it could not be tried, since the evening was over before."""
    why: str = ""
    """What was seen where it was not kept."""


class BrokenError(Exception):
    """A point was not kept; the text says what was seen."""

"""What pods are told about a request, decided from what came of it."""

from __future__ import annotations

from matchkeeper.handoff.notices import Notice, left, party_refusals, plain, refusal
from matchkeeper.store.asked import Reply, party_in
from matchkeeper.store.tickets import Outcome
from matchkeeper.wire import answers
from matchkeeper.wire.codes import ErrorCode, WireError
from matchkeeper.wire.handoffs import HandoffError
from matchkeeper.wire.requests import Request, RequestKind

_REFUSALS = {
    Reply.REQUEST_EXPIRED: (
        ErrorCode.REQUEST_EXPIRED,
        "This request was not done: it is too old. Send it again if the player still wants it",
    ),
    Reply.ALREADY_IN_QUEUE: (ErrorCode.ALREADY_IN_QUEUE, "{who} waits in this queue already"),
    Reply.IN_OTHER_QUEUE: (ErrorCode.IN_OTHER_QUEUE, "{who} waits in queue {where}"),
    Reply.IN_PARTY: (ErrorCode.IN_PARTY, "{who} is in party {what} of {where}"),
    Reply.MODE_DRAINED: (
        ErrorCode.MODE_DRAINED,
        "This game mode takes no new players: an operator has drained it",
    ),
    Reply.QUEUE_FULL: (ErrorCode.QUEUE_FULL, "As many players wait as this queue may hold"),
    Reply.NOT_IN_QUEUE: (ErrorCode.NOT_IN_QUEUE, "{who} does not wait in this queue"),
}
_ID_IN_USE = {
    False: "A party that waits in this queue has the id of the player",
    True: "A player, or the same party with other players, has the id of the party",
}


def told(outcome: Outcome) -> list[Notice]:
    """The answers to a request; none where another server gives them, or has given newer ones, or
    where what is true now is to be found out first.
    """
    request, reply = outcome.heard.request, outcome.reply
    if reply in (Reply.DUPLICATE, Reply.OVERTAKEN, Reply.OVER):
        return []
    if request.kind is RequestKind.DEQUEUE:
        return _left(request, reply, outcome.detail)
    if reply in (Reply.QUEUED, Reply.AGAIN):
        return queued(request)
    if request.party:
        return _party_refused(request, reply, outcome.detail)
    code, message = _reason(request, reply, outcome.detail)
    return [refusal(request.pod_id, request.player_id, code, message)]


def refused(error: WireError) -> list[Notice]:
    """The answers to a message that cannot be used."""
    if isinstance(error, HandoffError):
        notice = Notice(pod_id=error.pod_id, payload=error.answer, word="Handoff", code=error.code)
        return [notice]
    if error.party:
        return party_refusals(
            error.party, error.player_id, error.code, error.message, error.because_of
        )
    return [refusal(error.pod_id, error.player_id, error.code, error.message)]


def queued(request: Request) -> list[Notice]:
    """`EnQueued` for everybody of a request."""
    return [
        plain(each.pod_id, each.player_id, answers.ENQUEUED, party_id=request.party_id)
        for each in request.members
    ]


def _left(request: Request, reply: Reply, detail: str) -> list[Notice]:
    party = party_in(detail)
    if party is None:
        pod_id = detail or request.pod_id
        if reply in (Reply.DEQUEUED, Reply.AGAIN):
            return [plain(pod_id, request.player_id, answers.DEQUEUED)]
        if reply is not Reply.REQUEST_EXPIRED:
            pod_id = request.pod_id
        code, message = _reason(request, reply, detail)
        pod_id = request.pod_id or pod_id
        return [refusal(pod_id, request.player_id, code, message, party_id=request.party_id)]
    party_id, members = party
    by = None if request.player_id == party_id else request.player_id
    if reply is Reply.DEQUEUED:
        return left(members, party_id, by)
    # The others have been told, and may have asked for something else since.
    mine = [each for each in members if each.player_id == by]
    if mine:
        return left(mine, party_id, by)
    pod_id = request.pod_id or next((each.pod_id for each in members), None)
    return [plain(pod_id, party_id, answers.DEQUEUED, party_id=party_id)]


def _party_refused(request: Request, reply: Reply, detail: str) -> list[Notice]:
    if reply is Reply.OVERTAKEN_BY:
        overtakers = detail.split("\n")
        others = [each for each in request.party if each.player_id not in overtakers]
        why = "that player has asked for something else since, or was matched"
        return party_refusals(
            others, request.player_id, ErrorCode.PARTY_REFUSED, why, overtakers[0]
        )
    because_of, is_one, rest = detail.partition("\n")
    code, message = _reason(request, reply, rest if is_one else detail, is_party=not is_one)
    return party_refusals(
        request.party, request.player_id, code, message, because_of if is_one else ""
    )


def _reason(
    request: Request, reply: Reply, detail: str, *, is_party: bool | None = None
) -> tuple[ErrorCode, str]:
    """The code and the sentence. `is_party`: it is about the party, not one of its players."""
    about_party = request.by_party if is_party is None else is_party
    who = "The party" if about_party else "The player"
    where, _, what = detail.partition(" ")
    if reply is Reply.ID_IN_USE:
        return ErrorCode.ID_IN_USE, _ID_IN_USE[request.by_party]
    if reply is Reply.MATCH_PENDING:
        if request.kind is RequestKind.ENQUEUE:
            return ErrorCode.MATCH_PENDING, f"{who} is in pending match {what} of {where}"
        leaves = f"if it falls through, {who.lower()} leaves"
        return ErrorCode.MATCH_PENDING, f"{who} is in pending match {detail}; {leaves}"
    code, message = _REFUSALS[reply]
    return code, message.format(who=who, where=where, what=what)

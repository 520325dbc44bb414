"""What came of messages about matches, and what players were told to know of a match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crowd import handing
from crowd.history import Event, What
from crowd.judge.verdict import Fault, Finding

_GRANTED = {"claim": "claimed", "confirm": "started", "start": "started"}
_REFUSED = ("not_claimed", "already_claimed", "other_token", "too_late", "refused")
"""What stays so for the same message. Others tell of a match or an offer that may yet be known."""


def check_answers(events: Iterable[Event], *, forgets: bool) -> Iterator[Finding]:
    """Answers come to the pod that has asked, and what was refused stays so; not where Redis
    `forgets` what is not durable.
    """
    refused: dict[str, str] = {}
    for event in events:
        if event.what is not What.ANSWERED:
            continue
        about = f"{event.word} of match {event.match}"
        asker = handing.pod_in(event.token)
        if asker and asker != event.who:
            text = f"{event.who} was told what came of {about}, which {asker} has sent"
            yield Finding(fault=Fault.WRONG_POD, about=event.match, text=text)
        if event.code in _REFUSED and not forgets:
            refused.setdefault(event.token, event.code)
        elif event.token in refused and event.code == _GRANTED.get(event.word):
            text = f"the {about} was refused, {refused[event.token]}, and then {event.code}"
            yield Finding(fault=Fault.REFUSED_BUT_GRANTED, about=event.match, text=text)


def check_assigned(events: Iterable[Event]) -> Iterator[Finding]:
    """Players are told the assignment of their match, by the pod that starts it, and their own
    secret: all of them, where that pod gives one.
    """
    assigns: dict[tuple[str, str], bool] = {}
    for event in events:
        if event.what is What.CONFIRMING:
            key = event.match, event.who
            assigns[key] = assigns.get(key, True) and event.assigns
        elif event.what is What.TOLD and event.word == "MatchFound":
            yield from _told(event, must=assigns.get((event.match, event.by), False))


def _told(event: Event, *, must: bool) -> Iterator[Finding]:
    right = {
        "assignment": handing.text(handing.assignment(event.match, event.by)),
        "secret": handing.secret(event.match, event.player),
    }
    for name, told in (("assignment", event.assignment), ("secret", event.secret)):
        if told != right[name] and (told or must):
            text = f"{event.player} was told of match {event.match} the {name} {told or 'none'}"
            yield Finding(fault=Fault.WRONG_ASSIGNMENT, about=event.player, text=text)

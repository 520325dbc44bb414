"""Whether a ticket can be in any match at all, however long it waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from matchkeeper.domain.layout import MatchRules
from matchkeeper.domain.mode import GameMode
from matchkeeper.domain.rule import Rule
from matchkeeper.domain.ticket import Ticket
from matchkeeper.matching.rules.demands import broken
from matchkeeper.matching.rules.folds import Entry, Fold, fold_of
from matchkeeper.matching.rules.lineup import Lineup, players_of
from matchkeeper.matching.rules.places import region_of, roles_of

_FOREVER_SECONDS = 1e9

Never = Callable[[Ticket], str]


def never_for(mode: GameMode) -> Never:
    """Of a ticket of the mode: why no match can ever have it, in one sentence; empty if one can.

    Only what its own players bring counts, after the longest wait: whether others fit them, nobody
    knows yet.
    """
    rules = mode.rules
    if rules is None:
        return lambda _: ""
    waited = _FOREVER_SECONDS if mode.max_wait is None else mode.max_wait.total_seconds()
    checks = list(_checks(rules))

    def never(ticket: Ticket) -> str:
        entry = Entry(ticket=ticket, players=tuple(players_of(ticket, mode)), waited=waited)
        return next((why for each in checks if (why := each(entry))), "")

    return never


def _checks(rules: MatchRules) -> Iterator[Callable[[Entry], str]]:
    for rule in rules.rules:
        fold = fold_of(rule, rules) if rule.worth_seconds is None else None
        if fold is not None:
            yield partial(_broken, fold, rule, rules)
    if (roles := roles_of(rules)) is not None:
        seats = ", ".join(sorted(rules.roles))
        yield partial(_impossible, roles, f"roles would never fit; the seats are {seats}")
    if rules.region is not None:
        cap = rules.region.max_ms.last
        bound = "" if cap is None else f": everybody may have {cap:g} ms at most"
        far = f"no region would ever be near enough{bound}"
        yield partial(_impossible, region_of(rules.region), far)


def _impossible(fold: Fold, why: str, entry: Entry) -> str:
    return why if fold.add(fold.start, fold.read(entry)) is None else ""


def _broken(fold: Fold, rule: Rule, rules: MatchRules, entry: Entry) -> str:
    if not _impossible(fold, "is", entry):
        return ""
    waits = {entry.ticket.ticket_id: entry.waited}
    why = broken(rule, Lineup(teams=(entry.players,), waits=waits), rules, (entry.waited,))
    return f"rule {rule.name} would never hold: {why}"

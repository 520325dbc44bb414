"""What may stand in Redis when somebody has been there by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from proof.fuzz import texts

Command = tuple[bytes | str | float, ...]

TYPES: dict[str, Command] = {
    "string": ("SET", "KEY", "x"),
    "list": ("RPUSH", "KEY", "x", "y"),
    "set": ("SADD", "KEY", "x", "y"),
    "hash": ("HSET", "KEY", "x", "y"),
    "zset": ("ZADD", "KEY", 1, "x"),
    "stream": ("XADD", "KEY", "*", "x", "y"),
}
RIGHT = {
    "queue:{TAG}": "zset",
    "metadata:{TAG}": "hash",
    "metadata:by-hand-TAG": "string",
    "pending:{TAG}": "zset",
    "matched:{TAG}": "hash",
    "leaving:{TAG}": "hash",
    "dead:{TAG}": "stream",
    "match:{TAG}:m1": "hash",
    "match:requests": "stream",
    "pods": "zset",
}
"""Every key that lasts, and its type."""
_LEAD_TO: dict[str, tuple[Command, ...]] = {
    # In the future, so that the ticket stays: its metadata may still come.
    "metadata:by-hand-TAG": (("ZADD", "queue:{TAG}", 4_000_000_000, "by-hand-TAG"),),
    "match:{TAG}:m1": (("ZADD", "pending:{TAG}", 1, "m1"),),
}
"""What makes the server look at a key."""
_OF_ONE_PLAYER = ("metadata:by-hand-TAG",)
"""Damage to one ticket, which is no excuse for the mode."""

SCORES = ("inf", "-inf", "-1", "0", "1e308", "-1e308", "1e18", "9223372036854775808", "5e-324")
_POD = b'{"pod_id":"odd-pod"}'
_HUGE = 10_000_000
_METADATA: dict[str, bytes] = {
    "10 MB": b'{"pod_id":"odd-pod","x":"' + b"x" * _HUGE + b'"}',
    "10 MB with brackets in a text": b'{"pod_id":"odd-pod","x":"'
    + b"[" * 40
    + b"x" * _HUGE
    + b'"}',
    "10 MB of [": b"[" * _HUGE,
    "10 MB of {}": b'{"pod_id":"odd-pod","x":[' + b"{}," * (_HUGE // 3) + b"0]}",
    "10,000 levels": b'{"pod_id":"odd-pod","x":' + texts.DEEP + b"}",
    "invalid UTF-8": b'{"pod_id":"odd-pod","x":"\xff\xfe"}',
    "duplicate keys": b'{"pod_id":"odd-pod","mmr":1,"mmr":"x","pod_id":"odd-2"}',
    "a number over all bounds": b'{"pod_id":"odd-pod","x":1e999}',
    "NaN": b'{"pod_id":"odd-pod","mmr":NaN}',
    "a lone surrogate": rb'{"pod_id":"odd-pod","x":"\ud800"}',
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "an unusable pod": b'{"pod_id":"a\\u0000b"}',
    "an mmr of 1e308": b'{"pod_id":"odd-pod","mmr":1e308}',
    "an mmr of -1e308": b'{"pod_id":"odd-pod","mmr":-1e308}',
}
_PLAYERS: dict[str, bytes] = {
    "no UTF-8": b"\xff\xfe",
    "nothing": b"",
    "129 characters": b"p" * 129,
    "20,000 characters": b"p" * 20_000,
    "1 MB": b"p" * 1_000_000,
    "a zero byte": b"a\x00b",
    "an escape": b"\x1b[2J",
    "a blank": b"a b",
    "the name of a tag": b"{TAG}",
    "a surrogate": b"\xed\xa0\x80",
}
_MATCHES: dict[str, tuple[bytes, ...]] = {
    "no number as epoch": (b"state", b"offered", b"epoch", b"x", b"offers", b"1"),
    "no tickets": (b"state", b"claimed", b"epoch", b"1", b"offers", b"1", b"created", b"1"),
    "broken tickets": (
        b"state", b"offered", b"epoch", b"1", b"offers", b"1", b"created", b"1", b"tickets", b"[[",
    ),
    "an unknown state": (b"state", b"\xff"),
    "other tickets": (
        b"state", b"offered", b"epoch", b"1", b"offers", b"9", b"created", b"nan", b"elsewhere",
        b"x", b"tickets", b'[[["p","nan","[]"]]]',
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing wrong in one mode."""

    kind: str
    """In words that all cases of the kind share."""
    name: str
    tag: str
    wrong_type: bool
    """Whether the mode itself may stand still until the keys are deleted."""
    commands: tuple[Command, ...]
    keys: tuple[bytes, ...]
    """What is deleted to mend it."""

    @property
    def players(self) -> list[str]:
        """The players whom the case puts into a queue, as far as a request can name them."""
        queued = (each[3] for each in self.commands if each[0] == "ZADD")
        named = (each.encode() if isinstance(each, str) else each for each in queued)
        return [each.decode("utf-8", "replace") for each in named if isinstance(each, bytes)]


def all_cases(rng: random.Random) -> list[Case]:
    """Every case in every mode, by chance, but one of each kind before the second of any."""
    cases = [case for tag in texts.TAGS for case in (*_wrong(tag), *_tickets(tag), *_records(tag))]
    rng.shuffle(cases)
    so_far: Counter[str] = Counter()
    turns = []
    for case in cases:
        so_far[case.kind] += 1
        turns.append(so_far[case.kind])
    return [case for _, case in sorted(zip(turns, cases, strict=True), key=itemgetter(0))]


def chance_case(rng: random.Random) -> Case:
    """Tickets with fuzzed metadata, scores and names."""
    tag = rng.choice(texts.TAGS)
    commands: list[Command] = []
    for number in range(rng.randrange(1, 20)):
        player = f"odd-{number}".encode()
        if rng.random() < 0.2:
            player = rng.choice((rng.choice(texts.STRINGS), rng.randbytes(9)))
        score = rng.choice((*SCORES, "1000", "1700000000", "1.5"))
        commands += _ticket(
            tag, player, score, texts.stored_metadata(rng), by_hand=rng.random() < 0.3
        )
    return _odd("fuzzed tickets", f"{len(commands) // 2} tickets", tag, commands)


def _wrong(tag: str) -> Iterator[Case]:
    for template, right in RIGHT.items():
        for kind, (word, _, *rest) in TYPES.items():
            if kind == right:
                continue
            key = template.replace("TAG", tag).encode()
            lead = tuple(
                tuple(part.replace("TAG", tag) if isinstance(part, str) else part for part in each)
                for each in _LEAD_TO.get(template, ())
            )
            more = tuple(str(each[1]).encode() for each in lead)
            yield Case(
                kind=f"{template} of a wrong type",
                name=f"{key.decode()} is a {kind}",
                tag=tag,
                wrong_type=template not in _OF_ONE_PLAYER,
                commands=(("DEL", key), (word, key, *rest), *lead),
                keys=(key, *more),
            )


def _tickets(tag: str) -> Iterator[Case]:
    for score in (*SCORES, "nan"):
        yield _odd("a ticket with an odd score", score, tag, _ticket(tag, b"odd", score, _POD))
    for name, text in _METADATA.items():
        for by_hand in (False, True):
            where = "in a key of its own" if by_hand else "in the hash"
            commands = _ticket(tag, b"odd", "1000", text, by_hand=by_hand)
            yield _odd("a ticket with odd metadata", f"{name}, {where}", tag, commands)
    for name, player in _PLAYERS.items():
        commands = _ticket(tag, player.replace(b"TAG", tag.encode()), "1000", _POD)
        yield _odd("a ticket with an odd player id", name, tag, commands)
    commands = _ticket(tag, b"{" + tag.encode() + b"}", "1000", b"[]")
    yield _odd("an unreadable ticket named as a tag", "", tag, commands)


def _records(tag: str) -> Iterator[Case]:
    pending, dead = f"pending:{{{tag}}}", f"dead:{{{tag}}}"
    for name, fields in _MATCHES.items():
        commands: list[Command] = [
            ("HSET", f"match:{{{tag}}}:odd", *fields),
            ("ZADD", pending, 1, "odd"),
        ]
        yield _odd("an odd match", name, tag, commands)
    for member in (b"\xff", b"", b"x" * 100_000, b"no such match"):
        for score in ("-inf", "1", "inf"):
            name = f"{member[:20]!r} at {score}"
            yield _odd("an odd pending match", name, tag, [("ZADD", pending, score, member)])
    for name in ("matched", "leaving"):
        commands = [("HSET", f"{name}:{{{tag}}}", b"\xff", b"\xff", "", "", "x", "x" * 100_000)]
        yield _odd(f"odd fields of {name}", name, tag, commands)
    for field in (b"x", b"enqueued_at", b"time", b"player_id", b"\xff"):
        yield _odd("an odd dead letter", repr(field), tag, [("XADD", dead, "*", field, b"nan\xff")])
        yield _odd("an odd dead letter", repr(field), tag, [("XADD", dead, "*", field, b"inf")])
    yield _odd("odd pods", "pods", tag, [("ZADD", "pods", "inf", b"\xff", "-inf", b"", 1, "a b")])


def _ticket(
    tag: str, player: bytes, score: str, text: bytes, *, by_hand: bool = False
) -> list[Command]:
    queued: Command = ("ZADD", f"queue:{{{tag}}}", score, player)
    if by_hand and player != b"{" + tag.encode() + b"}":
        return [("SET", b"metadata:" + player, text), queued]
    return [("HSET", f"metadata:{{{tag}}}", player, text), queued]


def _odd(kind: str, name: str, tag: str, commands: list[Command]) -> Case:
    keys = [str(each[1]) if not isinstance(each[1], bytes) else each[1] for each in commands]
    named = (key.encode() if isinstance(key, str) else key for key in keys)
    return Case(
        kind=kind,
        name=f"{name} ({tag})",
        tag=tag,
        wrong_type=False,
        commands=tuple(commands),
        keys=tuple(dict.fromkeys((*named, *own_keys(tag)))),
    )


def own_keys(tag: str) -> tuple[bytes, ...]:
    """The keys of a mode that are emptied after a case."""
    names = ("queue", "metadata", "pending", "matched", "leaving", "dead")
    return tuple(f"{name}:{{{tag}}}".encode() for name in names)

"""Hostile texts: values of JSON that somebody may not expect, and messages broken on purpose."""

from __future__ import annotations

import json
import random

TAGS = ("normal", "ranked", "squad")
MODES = ("Normal", "Ranked", "Squad")

DEEP = b"[" * 10_000 + b"]" * 10_000
DEEP_OBJECT = b'{"a":' * 10_000 + b"1" + b"}" * 10_000

VALUES: tuple[bytes, ...] = (
    b"null", b"true", b"false", b"0", b"-0", b"-1", b"1.5", b"1e308", b"-1e308", b"1e999",
    b"-1e999", b"1e-999", b"5e-324", b"9" * 19, b"9" * 400, b"9" * 5000, b"0." + b"1" * 1000,
    b"1" * 400 + b".5", b"9223372036854775808", b"18446744073709551616", b"NaN", b"Infinity",
    b"-Infinity", b"01", b".5", b"1.", b"+1", b"0x10", b"tru", b"'a'", b"", b"\xff", b"\x00",
    b"[]", b"{}", b"[{}]", b'{"":{}}', b'{"a":1,"a":2}', DEEP, DEEP_OBJECT,
    b"[" * 31 + b"]" * 31, b"[" * 32 + b"]" * 32, b"[" * 33 + b"]" * 33, b"[" * 500,
    b'{"pod_id":null}', b'{"mmr":1e999}', b'{"mmr":"9"}', b'{"mmr":[]}', b'{"mmr":true}',
)  # fmt: skip
"""JSON, and what only looks like it."""

STRINGS: tuple[bytes, ...] = (
    b"", b" ", b"a", b"a" * 127, b"a" * 128, b"a" * 129, b"x" * 70_000, b"\xff\xfe",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\x00", b"\x01", b"\x1f", b"\x7f",
    b"\xc2\x80", b"\n", rb"\n", rb"\u0000", rb"\u001b[2J", rb"\u007f", rb"\u0085", rb"\ud800",
    rb"\udc00\ud800", rb"\ud83d\ude00", rb"\q", rb"\u12", b"\\", rb"\"", rb"\\", b"{normal}",
    b"{ranked}", b"{squad}", b"{}", b"{", b"%s%n", b"{0}", b"{player_id}", b"../../x", b"*", b"?",
    b"p q", "é".encode(), "\u202ex".encode(), "\U0001f600".encode() * 128, "İ".encode(),
    "ﬀ".encode(), b"normal", b"NORMAL", b"Ranked", b"null", b"0", b"seen:{normal}:x",
    b"{\\\"mmr\\\": 1}", b"[" * 64, b"{" * 64, b"{\\\"a\\\":" * 40, b"\xef\xbb\xbf",
)  # fmt: skip
"""What may stand between two quotes."""

Field = tuple[bytes, bytes]


def string(rng: random.Random) -> bytes:
    """A JSON string, well formed or not."""
    return b'"' + rng.choice(STRINGS) + b'"'


def value(rng: random.Random) -> bytes:
    """Any JSON value, well formed or not."""
    if rng.random() < 0.4:
        return string(rng)
    return rng.choice(VALUES)


def ident(rng: random.Random, name: str, among: int = 200) -> bytes:
    """An id as JSON: mostly a plain one of a bounded number, so that queues stay short."""
    if rng.random() < 0.25:
        return string(rng)
    return json.dumps(f"{name}-{rng.randrange(among)}").encode()


def metadata_fields(rng: random.Random) -> list[Field]:
    """The fields of a metadata object, with an odd one now and then."""
    fields: list[Field] = [(b'"mmr"', str(rng.randrange(-3000, 5000)).encode())]
    for _ in range(rng.choice((0, 0, 1, 2))):
        key = rng.choice((b'"mmr"', b'"pod_id"', b'"x"', b'""', string(rng)))
        fields.append((key, value(rng)))
    return fields


def joined(fields: list[Field]) -> bytes:
    """An object of these fields, which may come twice."""
    return b"{" + b",".join(key + b":" + item for key, item in fields) + b"}"


def metadata(rng: random.Random) -> bytes:
    """Metadata of a request: an object, a string that holds one, or something else."""
    kind = rng.random()
    if kind < 0.1:
        return value(rng)
    text = joined(metadata_fields(rng))
    if kind < 0.3:
        return json.dumps(text.decode("utf-8", "replace")).encode()
    return text


def stored_metadata(rng: random.Random) -> bytes:
    """Metadata as it may stand in Redis when somebody else has put it there."""
    fields = [(b'"pod_id"', ident(rng, "pod")), *metadata_fields(rng)]
    text = metadata(rng) if rng.random() < 0.2 else joined(fields)
    return mutated(rng, text) if rng.random() < 0.3 else text


def request(rng: random.Random) -> bytes:
    """A request, well formed or broken."""
    if rng.random() < 0.03:
        return rng.randbytes(rng.choice((0, 1, 10, 100, 5000)))
    mode = rng.choice(MODES)
    fields: list[Field] = [
        (b'"player_id"', ident(rng, "fuzz")),
        (b'"game_mode"', json.dumps(mode).encode()),
        (b'"pod_id"', ident(rng, "fuzz-pod")),
        (b'"metadata"', metadata(rng)),
    ]
    if rng.random() < 0.2:
        fields.append((b'"request_id"', ident(rng, "request", among=1000)))
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        _break_field(rng, fields)
    text = joined(fields)
    return mutated(rng, text) if rng.random() < 0.2 else text


def coming_and_going(rng: random.Random) -> tuple[bytes, bytes]:
    """An enqueue and a dequeue of one player with an odd name and a rating that nobody has."""
    fields: list[Field] = [
        (b'"player_id"', string(rng)),
        (b'"game_mode"', json.dumps(rng.choice(MODES)).encode()),
        (b'"pod_id"', b'"fuzz-pod"'),
    ]
    rating = str(-rng.randrange(10**6, 10**9)).encode()
    return joined([*fields, (b'"metadata"', joined([(b'"mmr"', rating)]))]), joined(fields)


def _break_field(rng: random.Random, fields: list[Field]) -> None:
    if not fields:
        return
    at = rng.randrange(len(fields))
    key, item = fields[at]
    match rng.randrange(6):
        case 0:
            del fields[at]
        case 1:
            fields[at] = (key, value(rng))
        case 2:
            fields.insert(rng.randrange(len(fields) + 1), (key, value(rng)))
        case 3:
            fields[at] = (key.upper(), item)
        case 4:
            fields[at] = (key.replace(b"_", rb"\u005f"), item)
        case _:
            fields.append((string(rng), value(rng)))


def mutated(rng: random.Random, text: bytes) -> bytes:
    """The text with a few of its bytes changed, lost, doubled or cut off."""
    data = bytearray(text)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.choice((1, 1, 8, 64))]
            case 2:
                data[at:at] = rng.choice((b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\"))
            case 3:
                data[at:at] = data[at : at + rng.choice((4, 32))]
            case 4:
                del data[at:]
            case 5:
                data[at:at] = rng.choice(VALUES)
            case _:
                data[:0] = rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b" ", b"\x00", b"]"))
    return bytes(data)

"""Makes the documents whose contents stand in the code: schemas, log lines, metrics, settings.

`python -m matchkeeper.reference docs` writes them; a test fails when they are out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from matchkeeper import __version__, typescript
from matchkeeper.config.catalog import Setting, catalog
from matchkeeper.config.fields import allowed_text, default_text, is_secret, type_text
from matchkeeper.observe import facts
from matchkeeper.observe.metrics import Metrics
from matchkeeper.store.happenings import Happening
from matchkeeper.wire import trace_context
from matchkeeper.wire.answers import Answer, BattleRequest, Failure, MatchFound
from matchkeeper.wire.codes import ErrorCode
from matchkeeper.wire.handed import HandoffAnswer, HandoffReply
from matchkeeper.wire.handoffs import HandoffRequest, PodRequest, StatusRequest
from matchkeeper.wire.requests import (
    DequeueRequest,
    EnqueueRequest,
    PartyDequeueRequest,
    PartyRequest,
)
from matchkeeper.wire.status import State, Status

_METADATA = {
    "description": "A JSON object, or a string that holds one.",
    "oneOf": [{"type": "object"}, {"type": "string"}],
}
_TRACEPARENT = {
    "description": "W3C Trace Context. What is none is passed over.",
    "type": "string",
    "pattern": trace_context.PATTERN,
}
_BY_HAND = "<!-- Made by `python -m matchkeeper.reference docs`; do not edit. -->"
BEGIN = "<!-- The tables: python -m matchkeeper.reference docs -->"
END = "<!-- End of the tables -->"

_HISTORY = """\
What happened to players and matches lately, for people who look somebody up: the search of
[the live page](live-page.md) shows it, and so do

```
curl -G localhost:8080/api/v1/players --data-urlencode 'player_id=p1'
redis-cli XREVRANGE 'history:{normal}' + - COUNT 10
```

The scripts write it in the same step as the change itself: a stream for each mode, of about the
last 100,000 entries, which goes an hour after the last enqueue. An entry has `what` (`event` at the
API) and, where they say something, `players` (one a line), `party` (`party_id` at the API: these
players are one), `match`, `pod` (`pod_id` at the API) and `detail`. Events after `committed` name
the match and no players. Matches made at once are one entry: their ids are one a line, and an empty
line stands between the players of two. So are matches that one pod claims, confirms, starts or
declines at once.

It is for people: game servers learn everything from their [answers](wire.md#answers). A new version
may bring new events.
"""


def files() -> dict[str, str]:
    """Path below `docs/` -> text, for everything that is made."""
    made = {f"schemas/{name}.json": _json(schema) for name, schema in schemas().items()}
    made["asyncapi.json"] = _json(asyncapi())
    made["log-lines.md"] = log_lines()
    made["metrics.md"] = metrics()
    made["error-codes.md"] = error_codes()
    made["history.md"] = history()
    made["../clients/typescript/src/wire.ts"] = typescript.types(schemas().values())
    return made


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas of the wire messages, by name."""
    made = {
        "enqueue_request": _either(EnqueueRequest, PartyRequest),
        "dequeue_request": _either(DequeueRequest, PartyDequeueRequest),
        "handoff_request": _handoff_request_schema(),
        "battle_request": msgspec.json.schema(BattleRequest),
        "answer": _answer_schema(),
        "handoff_answer": _handoff_answer_schema(),
    }
    enqueue = made["enqueue_request"]["$defs"]
    for name in ("EnqueueRequest", "PartyRequest"):
        enqueue[name]["properties"]["traceparent"] = _TRACEPARENT
    for name in ("EnqueueRequest", "PartyPlayer"):
        enqueue[name]["properties"]["metadata"] = _METADATA
    made["battle_request"]["$defs"]["BattlePlayer"]["properties"]["metadata"] = {"type": "object"}
    return made


def _either(*kinds: type) -> dict[str, Any]:
    """The schema of a message of one of these kinds."""
    found, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {"anyOf": list(found), "$defs": definitions}


def _answer_schema() -> dict[str, Any]:
    schema = msgspec.json.schema(Answer)
    news = {"MatchFound": MatchFound, "Error": Failure}
    parts = {**news, "Status": Status}
    _, definitions = msgspec.json.schema_components(parts.values(), ref_template="#/$defs/{name}")
    schema["$defs"] |= definitions
    result = _result(["EnQueued", "DeQueued", "Expired"], parts)
    schema["$defs"]["Answer"]["properties"]["result_type"] = result
    status = schema["$defs"]["Status"]["properties"]
    status["state"] = {"enum": [each.value for each in State]}
    status["news"] = _result(["DeQueued", "Expired"], news)
    return schema


def _result(words: list[str], parts: Mapping[str, type]) -> dict[str, Any]:
    """One of the words, or an object of one of the parts."""
    objects = [
        {
            "type": "object",
            "properties": {name: {"$ref": f"#/$defs/{kind.__name__}"}},
            "required": [name],
            "additionalProperties": False,
        }
        for name, kind in parts.items()
    ]
    return {"oneOf": [{"enum": words}, *objects]}


def _handoff_request_schema() -> dict[str, Any]:
    kinds = (HandoffRequest, StatusRequest, PodRequest)
    refs, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    definitions["HandoffRequest"]["properties"]["assignment"] = {
        "description": "With confirm or start: what all players of the match are told, as it is.",
        "type": "object",
    }
    return {"oneOf": list(refs), "$defs": definitions}


def _handoff_answer_schema() -> dict[str, Any]:
    schema = msgspec.json.schema(HandoffAnswer)
    schema["$defs"]["HandoffAnswer"]["properties"]["result_type"] = {
        "type": "object",
        "properties": {"Handoff": {"$ref": "#/$defs/Handoff"}},
        "required": ["Handoff"],
        "additionalProperties": False,
    }
    words = [each.value for each in HandoffReply if each is not HandoffReply.CONFIRMED]
    codes = [each.value for each in ErrorCode if each not in words]
    schema["$defs"]["Handoff"]["properties"]["reply"] = {"enum": [*words, *codes]}
    return schema


def asyncapi() -> dict[str, Any]:
    """The wire as AsyncAPI 3.0, seen from Matchkeeper."""
    channels = {
        "enqueue": ("match:enqueue:request", ("enqueue_request",), "receive"),
        "dequeue": ("match:dequeue:request", ("dequeue_request",), "receive"),
        "handoff": ("match:handoff:request", ("handoff_request",), "receive"),
        "results": ("pod:{pod_id}:match_result", ("answer", "handoff_answer"), "send"),
        "battles": ("battle:request", ("battle_request",), "send"),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Matchkeeper",
            "version": __version__,
            "description": "JSON over Redis Pub/Sub; requests also by stream. See wire.md.",
        },
        "channels": {
            name: {
                "address": address,
                **({"parameters": {"pod_id": {}}} if "{" in address else {}),
                "messages": {
                    each: {"payload": {"$ref": f"schemas/{each}.json"}} for each in messages
                },
            }
            for name, (address, messages, _) in channels.items()
        },
        "operations": {
            name: {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
            for name, (_, _, action) in channels.items()
        },
    }


def log_lines() -> str:
    """Every log line: what it means and what to do."""
    rows = [
        f"| `{each.name}` | {line.level.name} | `{line.sentence}` | {each.meaning} | {line.do} |"
        for each in facts.ALL
        if (line := each.line) is not None
    ]
    head = "| kind | level | line | what it means | what to do |\n|---|---|---|---|---|"
    return f"# Log lines\n\n{_BY_HAND}\n\n{head}\n" + "\n".join(rows) + "\n"


def metrics() -> str:
    """Every metric."""
    rows = [
        f"| `{doc.name}` | {doc.kind} | {', '.join(doc.labels) or '-'} | {doc.text} |"
        for doc in Metrics().documentation()
    ]
    head = "| metric | type | labels | what it tells |\n|---|---|---|---|"
    process = (
        "On Linux there are also `process_resident_memory_bytes`, `process_cpu_seconds_total`, "
        "`process_open_fds` and others of the process."
    )
    return f"# Metrics\n\n{_BY_HAND}\n\n{head}\n" + "\n".join(rows) + f"\n\n{process}\n"


def error_codes() -> str:
    """Every code of an `Error` answer, and every reply to a message about a match."""
    rows = [f"| `{code.value}` | {code.meaning} |" for code in ErrorCode]
    head = "| code | what it means, and what to do |\n|---|---|"
    codes = f"# Error codes\n\n{_BY_HAND}\n\n{head}\n" + "\n".join(rows) + "\n"
    told = f"{codes}\n## Replies to messages about matches\n\n{replies()}"
    return f"{told}\n## States of a player\n\n{states()}"


def replies() -> str:
    """Every reply of a `Handoff` answer."""
    told = [each for each in HandoffReply if each is not HandoffReply.CONFIRMED]
    rows = [f"| `{each.value}` | {each.meaning} |" for each in told]
    return "| reply | what it means, and what to do |\n|---|---|\n" + "\n".join(rows) + "\n"


def states() -> str:
    """Every state of a `Status` answer."""
    rows = [f"| `{each.value}` | {each.meaning} |" for each in State]
    return "| state | what it means, and what to do |\n|---|---|\n" + "\n".join(rows) + "\n"


def history() -> str:
    """Every event of the history."""
    rows = [f"| `{each.value}` | {each.meaning} |" for each in Happening]
    head = "| event | what it means |\n|---|---|"
    return f"# History\n\n{_BY_HAND}\n\n{_HISTORY}\n{head}\n" + "\n".join(rows) + "\n"


def settings() -> str:
    """A Markdown table for each table of the configuration."""
    parts = []
    for table, settings in groupby(_in_order(), key=lambda setting: setting.table):
        parts.append(f"### `{table}`\n")
        head = ["Key", "Type", "Default", "Allowed", "Meaning"]
        of_table = list(settings)
        rows = [_row(setting) for setting in of_table]
        if table.startswith("[["):
            parts.append("Set as a whole by `MATCHKEEPER_MATCHMAKING__GAME_MODES`, as JSON.\n")
        elif of_table[0].variable:
            head[1:1] = ["Variable"]
        else:
            parts.append("Below a game mode. [Rules](rules.md) says what it means.\n")
        parts.append("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def configuration(document: str) -> str:
    """The document with the tables between its two marks. Raises ValueError without the marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The document needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{settings()}\n{END}{after}"


def _in_order() -> list[Setting]:
    order: dict[str, int] = {}
    for setting in catalog():
        order.setdefault(setting.table, len(order))
    return sorted(catalog(), key=lambda setting: order[setting.table])


def _row(setting: Setting) -> str:
    field = setting.field
    kind = type_text(field) + (", secret" if is_secret(field) else "")
    cells = [f"`{setting.name}`", kind, default_text(field), allowed_text(field)]
    if setting.variable:
        cells.insert(1, f"`{setting.variable}`")
    cells.append(field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def main(folder: Path) -> None:
    """Writes all files below `folder`."""
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    document = folder / "configuration.md"
    document.write_text(configuration(document.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))

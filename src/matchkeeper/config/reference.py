"""Writes the tables of docs/configuration.md: `python -m matchkeeper.config.reference FILE`."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from matchkeeper.config.catalog import (
    Setting,
    allowed_text,
    catalog,
    default_text,
    is_secret,
    type_text,
)

BEGIN = "<!-- The tables: python -m matchkeeper.config.reference docs/configuration.md -->"
END = "<!-- End of the tables -->"


def tables() -> str:
    """A Markdown table for each table of the configuration."""
    parts = []
    for table, settings in groupby(_in_order(), key=lambda setting: setting.table):
        array = table.startswith("[[")
        parts.append(f"### `{table}`\n")
        head = ["Key", "Type", "Default", "Allowed", "Meaning"]
        rows = [_row(setting) for setting in settings]
        if array:
            parts.append("Set as a whole by `MATCHKEEPER_MATCHMAKING__GAME_MODES`, as JSON.\n")
        else:
            head[1:1] = ["Variable"]
        parts.append("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def updated(document: str) -> str:
    """The document with the tables between its two marks. Raises ValueError without the marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The document needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


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


def main() -> None:
    """Rewrites the tables of the file named on the command line."""
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

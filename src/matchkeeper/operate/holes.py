"""Known critical holes of Redis and Valkey, by the versions that have them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A known critical hole: for each line (major, minor), the first version without it."""

    name: str
    mended: dict[str, dict[tuple[int, int], tuple[int, int, int]]]
    """Unlisted lines have the hole if they are older than the newest listed line, else not."""
    since: tuple[int, int] = (0, 0)
    """The first line that has it."""


# From the advisories of the two projects.
HOLES = (
    Hole(
        name="CVE-2026-81934 (with TLS, strangers can run code on the server)",
        mended={
            "redis": {
                (6, 2): (6, 2, 24),
                (7, 2): (7, 2, 16),
                (7, 4): (7, 4, 11),
                (8, 2): (8, 2, 9),
                (8, 4): (8, 4, 6),
                (8, 6): (8, 6, 6),
                (8, 8): (8, 8, 2),
                (8, 10): (8, 10, 1),
            },
        },
    ),
    Hole(
        name="GHSA-fq2f-crmw-q97r (strangers can make it use a freed script interpreter)",
        mended={"valkey": {(9, 1): (9, 1, 2)}},
        since=(9, 1),
    ),
    Hole(
        name="CVE-2026-56684, CVE-2026-63639 (a client can run code on the server)",
        mended={
            "valkey": {
                (7, 2): (7, 2, 14),
                (8, 0): (8, 0, 10),
                (8, 1): (8, 1, 9),
                (9, 0): (9, 0, 5),
                (9, 1): (9, 1, 1),
            },
        },
    ),
    Hole(
        name="CVE-2026-23479 (a client can run code on the server)",
        mended={
            "valkey": {
                (7, 2): (7, 2, 13),
                (8, 0): (8, 0, 9),
                (8, 1): (8, 1, 7),
                (9, 0): (9, 0, 4),
            },
        },
    ),
    Hole(
        name="CVE-2025-49844 (a script can run code on the server)",
        mended={
            "redis": {
                (6, 2): (6, 2, 20),
                (7, 2): (7, 2, 11),
                (7, 4): (7, 4, 6),
                (8, 0): (8, 0, 4),
                (8, 2): (8, 2, 2),
            },
            "valkey": {(7, 2): (7, 2, 11), (8, 0): (8, 0, 6), (8, 1): (8, 1, 4)},
        },
    ),
    Hole(
        name="CVE-2024-46981 (a script can run code on the server)",
        mended={
            "redis": {(6, 2): (6, 2, 17), (7, 2): (7, 2, 7), (7, 4): (7, 4, 2)},
            "valkey": {(7, 2): (7, 2, 8), (8, 0): (8, 0, 2)},
        },
    ),
)


def holes_in(kind: str, version: tuple[int, ...]) -> list[str]:
    """Names of the known critical holes of a server version."""
    found = []
    for hole in HOLES:
        lines = hole.mended.get(kind, {})
        major, minor = (*version, 0, 0)[:2]
        mended = lines.get((major, minor))
        if mended is None:
            vulnerable = bool(lines) and hole.since <= version[:2] < max(lines)
        else:
            vulnerable = version < mended
        if vulnerable:
            found.append(hole.name)
    return found

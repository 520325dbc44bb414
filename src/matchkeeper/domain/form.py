"""The form of what stands in Redis, and which versions of Matchkeeper can work with it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

FORM = 1
"""The form that this version of Matchkeeper writes where nothing stands yet."""
OLDEST = 1
"""The oldest form that it can work with. It reads and writes the form that stands in Redis."""
DOCUMENTED = "docs/versions.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Why a version of Matchkeeper cannot work with a state, in sentences."""

    found: str
    mend: str


class Stamp(msgspec.Struct, frozen=True):
    """What says in which form the state of a realm stands."""

    form: int
    """0 where nothing, or nothing that can be read, says it."""
    by: str
    """The version of Matchkeeper that wrote it down. Without a form: a key that shows that there is
    a state all the same; empty where there is none.
    """

    def __str__(self) -> str:
        return f"form {self.form}, written by Matchkeeper {self.by}"


def known() -> str:
    """The forms that this version can work with."""
    return f"form {FORM}" if OLDEST == FORM else f"forms {OLDEST} to {FORM}"


def unfit(stamp: Stamp, version: str) -> Unfit | None:
    """Why this version cannot work with a state, or None."""
    if OLDEST <= stamp.form <= FORM or (not stamp.form and not stamp.by):
        return None
    if not stamp.form:
        return Unfit(
            found=f"The state in Redis says no form, and is not empty: there is {stamp.by!r}",
            mend="A version before the first release wrote it. Stop all servers of that version, "
            f"then: matchkeeper migrate ({DOCUMENTED})",
        )
    found = f"The state in Redis has {stamp}; Matchkeeper {version} works with {known()}"
    if stamp.form > FORM:
        mend = f"Start Matchkeeper {stamp.by} or a version next to it ({DOCUMENTED})."
        return Unfit(found=found, mend=mend)
    return Unfit(
        found=found,
        mend=f"Go there step by step: first the version that comes after {stamp.by}, and its "
        f"`matchkeeper migrate` ({DOCUMENTED}).",
    )

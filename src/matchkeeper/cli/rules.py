"""`matchkeeper rules`: what the rules of modes mean, and whether they do what they should."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matchkeeper.cli.common import (
    ConfigOption,
    JsonOption,
    out,
    printable,
    settings_from,
    show_json,
)
from matchkeeper.errors import MatchkeeperError, NotFoundError

if TYPE_CHECKING:
    from matchkeeper.domain.mode import GameMode

app = typer.Typer(
    help="See what the rules of a mode mean, and try them; needs no Redis.", no_args_is_help=True
)

ModeArgument = Annotated[str | None, typer.Argument(help="Game mode; all when left out.")]


class CasesFailedError(MatchkeeperError):
    """The rules of a mode do not do what its cases say."""


@app.command("check")
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the rules of all modes: what is wrong, and what is probably not meant.

    Example: matchkeeper rules check --config matchkeeper.toml
    """
    from matchkeeper.matching.rules.words import doubts  # noqa: PLC0415

    found = {mode.name: list(doubts(mode)) for mode in settings_from(config, None).modes()}
    if as_json:
        show_json(found)
        return
    for name, sentences in found.items():
        out.print(f"{printable(name)}: " + ("nothing to say" if not sentences else ""))
        for each in sentences:
            out.print(f"  doubtful: {printable(each)}")


@app.command("explain")
def explain(mode: ModeArgument = None, config: ConfigOption = None) -> None:
    """Say in words what a match must have, and how that relaxes.

    Example: matchkeeper rules explain Ranked5v5 --config matchkeeper.toml
    """
    from matchkeeper.matching.rules.words import explained  # noqa: PLC0415

    for number, each in enumerate(_modes(config, mode)):
        if number:
            out.print()
        for line in explained(each):
            out.print(printable(line), soft_wrap=True)


@app.command("test")
def run_cases(
    cases: Annotated[Path, typer.Argument(help="A file of cases, docs/rules.md.")],
    mode: Annotated[str | None, typer.Option(help="Game mode, where there are more.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run your own cases: tickets with their waits, and who of them must be matched.

    Example: matchkeeper rules test ranked-5v5.cases.toml --config ranked-5v5.toml
    """
    from matchkeeper.operate.rule_cases import outcome, read_cases  # noqa: PLC0415

    modes = _modes(config, mode)
    if len(modes) > 1:
        names = ", ".join(each.name for each in modes)
        raise NotFoundError(f"Which mode are the cases for? There are {names}", hint="--mode NAME")
    outcomes = [outcome(each, modes[0]) for each in read_cases(cases)]
    if as_json:
        show_json([{"name": each.case.name, "wrong": list(each.wrong)} for each in outcomes])
    for each in outcomes if not as_json else ():
        out.print(f"{'ok' if not each.wrong else 'WRONG'}: {printable(each.case.name)}")
        for sentence in each.wrong:
            out.print(f"  {printable(sentence)}")
    failed = sum(bool(each.wrong) for each in outcomes)
    if failed:
        raise CasesFailedError(f"{failed} of {len(outcomes)} cases are not as they should be")


def _modes(config: Path | None, name: str | None) -> list[GameMode]:
    modes = list(settings_from(config, None).modes())
    if name is None:
        return modes
    found = [each for each in modes if each.name.lower() == name.lower()]
    if not found:
        known = ", ".join(each.name for each in modes)
        raise NotFoundError(f"No game mode {name!r}; known are {known}")
    return found

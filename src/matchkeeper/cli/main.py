"""`matchkeeper`: the entry point."""

from __future__ import annotations

import io
import sys
import threading
import traceback
from typing import Annotated, NoReturn

import typer

from matchkeeper.cli import (
    conformance,
    dead_letters,
    demo_commands,
    match,
    migrate,
    queue,
    rules,
    server,
    swarm,
)
from matchkeeper.cli.common import printable
from matchkeeper.errors import MatchkeeperError

_DEFECT = 70
_INTERRUPTED = 130

EPILOG = (
    "Exit codes: 0 done · 1 failed · 2 wrong settings or usage · 3 Redis out of reach or unfit · "
    "4 not found · 5 another form of the state · 70 a defect · 130 interrupted."
)

app = typer.Typer(
    name="matchkeeper",
    help="The match server that never loses a player.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
server.register(app)
demo_commands.register(app)
app.command()(swarm.swarm)
app.command()(migrate.migrate)
app.command()(conformance.conformance)
app.add_typer(queue.app, name="queue")
app.add_typer(match.app, name="match")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(rules.app, name="rules")
app.add_typer(server.config_app, name="config")


def _version(wanted: bool) -> None:  # the form that typer asks for
    if wanted:
        from matchkeeper import __version__  # noqa: PLC0415

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001  # handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks of unexpected errors.")
    ] = False,
) -> None:
    if debug:
        _DEBUG.set()


_DEBUG = threading.Event()


def run() -> None:
    """The command. Errors are one sentence and a hint, and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character must not end the command half-way.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except MatchkeeperError as error:
        _fail(error.message, error.hint, error.exit_code)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except OSError as error:  # a full disk, a folder that may not be written
        if error.strerror is None:
            _fail_by_defect(error)
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror}", "", MatchkeeperError.exit_code)
    except Exception as error:  # noqa: BLE001  # a person gets a sentence, never a traceback
        _fail_by_defect(error)


def _fail_by_defect(error: Exception) -> NoReturn:
    if _DEBUG.is_set():
        traceback.print_exception(error)
    hint = "This is a defect: please report it, with what --debug before the command shows."
    _fail(f"{type(error).__name__}: {error}", hint, _DEFECT)


def _fail(message: str, hint: str, exit_code: int) -> NoReturn:
    lines = [printable(line) for line in message.splitlines()]
    typer.secho("Error: " + "\n".join(lines), err=True, fg="red")
    if hint:
        typer.echo(f"Hint: {printable(hint)}", err=True)
    sys.exit(exit_code)

"""`matchkeeper`: the entry point."""

from __future__ import annotations

import os
import sys
import threading
from typing import Annotated

import typer

from matchkeeper.cli import dead_letters, queue, server
from matchkeeper.errors import MatchkeeperError

_DEFECT = 70
_INTERRUPTED = 130

EPILOG = (
    "Exit codes: 0 done · 1 failed · 2 wrong settings or usage · 3 Redis out of reach or unfit · "
    "4 not found · 70 a defect · 130 interrupted."
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
app.add_typer(queue.app, name="queue")
app.add_typer(dead_letters.app, name="dead-letters")
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
    try:
        app()
    except MatchkeeperError as error:
        typer.secho(f"Error: {error.message}", err=True, fg="red")
        if error.hint:
            typer.echo(f"Hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # a person gets a sentence, never a traceback
        if _DEBUG.is_set():
            raise
        typer.secho(f"Error: {type(error).__name__}: {error}", err=True, fg="red")
        typer.echo("Hint: this is a defect; run again with --debug and report it.", err=True)
        sys.exit(_DEFECT)

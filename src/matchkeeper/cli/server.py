"""`serve`, `doctor` and `config show`."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from matchkeeper.cli.common import (
    ConfigOption,
    JsonOption,
    UrlOption,
    in_loop,
    out,
    printable,
    secret_url,
    settings_from,
    show_json,
)
from matchkeeper.errors import MatchkeeperError

if TYPE_CHECKING:
    from matchkeeper.operate.doctor import Finding

config_app = typer.Typer(help="See the settings in effect.", no_args_is_help=True)


class UnfitError(MatchkeeperError):
    """The doctor found something wrong."""

    exit_code = 3


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(serve)
    app.command()(doctor)


def _calm_garbage_collection() -> None:
    """Looks for cycles less often than Python does by itself: the tickets of a long queue and the
    matches of a round are many objects and no cycles.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _without_opentelemetry() -> None:
    """Where OpenTelemetry is installed, redis-py loads much of it for figures that nobody reads
    here. A server without traces saves a tenth of a second and 3 MB.
    """
    sys.modules.setdefault("opentelemetry", None)  # type: ignore[arg-type]  # "cannot be imported"


def serve(
    config: ConfigOption = None,
    redis_url: UrlOption = None,
    host: Annotated[str | None, typer.Option(help="Address for HTTP. [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port for HTTP, 0 for any. [8080]")] = None,
) -> None:
    """Run the match server, until SIGTERM or Ctrl-C.

    Without a Redis URL it brings its own Valkey, for development, and says so.

    Example: MATCHKEEPER_REDIS__URL=redis://localhost:6379 matchkeeper serve
    """
    settings = settings_from(config, redis_url, server__host=host, server__port=port)
    if not settings.tracing.enabled:
        _without_opentelemetry()
    from matchkeeper.observe.logging import configured  # noqa: PLC0415
    from matchkeeper.server.process import run_server  # noqa: PLC0415

    _calm_garbage_collection()
    with configured(level=settings.logging.level, fmt=settings.logging.format):
        in_loop(run_server(settings, url=secret_url(settings)))


def doctor(
    config: ConfigOption = None,
    redis_url: UrlOption = None,
    send_test_alert: Annotated[
        bool, typer.Option("--send-test-alert", help="Also send an alert over every channel.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check settings, Redis and rights, and say what to mend. Exits with 3 if anything is wrong.

    Example: matchkeeper doctor --config config/production.toml --send-test-alert
    """
    settings = settings_from(config, redis_url)
    from matchkeeper.cli.examination import Examination  # noqa: PLC0415

    findings = in_loop(Examination(settings, send_test_alert=send_test_alert).run())
    if as_json:
        show_json(
            [
                {
                    "check": each.check,
                    "verdict": each.verdict.value,
                    "found": each.found,
                    "mend": each.mend,
                }
                for each in findings
            ]
        )
    else:
        _show_findings(findings)
    wrong = [each.check for each in findings if each.verdict.value == "wrong"]
    if wrong:
        raise UnfitError(f"Not fit to serve: {', '.join(wrong)}", hint="Mend what is marked above.")


def _show_findings(findings: list[Finding]) -> None:
    from rich.text import Text  # noqa: PLC0415

    signs = {"good": ("✓", "green"), "warning": ("⚠", "yellow"), "wrong": ("✗", "red")}
    for each in findings:
        out.print(
            Text.assemble(signs[each.verdict.value], f" {each.check}: {printable(each.found)}")
        )
        if each.mend:
            out.print(f"    → {printable(each.mend)}")


@config_app.command("show")
def show_config(
    config: ConfigOption = None, redis_url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """Show the settings in effect: defaults, file, environment and options. Secrets are masked.

    Example: matchkeeper config show --config config/production.toml
    """
    from matchkeeper.config import masked, to_toml  # noqa: PLC0415

    settings = settings_from(config, redis_url)
    if as_json:
        show_json(masked(settings))
    else:
        typer.echo(to_toml(settings))

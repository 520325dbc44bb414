"""`serve`, `demo`, `doctor` and `config show`."""

from __future__ import annotations

import gc
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from matchkeeper.cli.common import (
    ConfigOption,
    JsonOption,
    UrlOption,
    out,
    printable,
    settings_from,
    show_json,
)
from matchkeeper.errors import MatchkeeperError

if TYPE_CHECKING:
    from matchkeeper.config import Settings
    from matchkeeper.doctor import Finding

T = TypeVar("T")

config_app = typer.Typer(help="See the settings in effect.", no_args_is_help=True)


class UnfitError(MatchkeeperError):
    """The doctor found something wrong."""

    exit_code = 3


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(serve)
    app.command()(demo)
    app.command()(doctor)


def _in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Runs in uvloop where there is one."""
    import asyncio  # noqa: PLC0415

    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def _calm_garbage_collection() -> None:
    """Looks for cycles less often than Python does by itself: the tickets of a long queue and the
    matches of a round are many objects and no cycles.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


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
    from matchkeeper.observe.logging import configure  # noqa: PLC0415
    from matchkeeper.serving import run_server  # noqa: PLC0415

    configure(level=settings.logging.level, fmt=settings.logging.format)
    _calm_garbage_collection()
    _in_loop(run_server(settings, url=_url(settings)))


def demo(
    config: ConfigOption = None,
    redis_url: UrlOption = None,
    pods: Annotated[int, typer.Option(min=1, max=50, help="Simulated game servers.")] = 3,
    rate: Annotated[float, typer.Option(min=0.1, max=2000, help="Players a second.")] = 8.0,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="End after so long. [until Ctrl-C]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="For the same players each time.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Save the last view as an SVG file.", dir_okay=False)
    ] = None,
) -> None:
    """Run everything at once: Valkey, server, game servers and a stream of players.

    They speak the real wire; the view shows what they were told. Exits with 1 if anybody was
    lost or matched twice.

    Example: matchkeeper demo --rate 50 --seconds 30
    """
    settings = demo_settings(config, redis_url)
    from matchkeeper.cli.demo import DemoOptions, run_demo  # noqa: PLC0415
    from matchkeeper.observe.logging import configure  # noqa: PLC0415

    configure(level="CRITICAL", fmt="console")
    options = DemoOptions(
        pods=pods, players_per_second=rate, seconds=seconds, seed=seed, picture=picture
    )
    with TemporaryDirectory(prefix="matchkeeper-demo-") as folder:
        good = _in_loop(run_demo(settings, options, url=_url(settings), folder=Path(folder)))
    if not good:
        raise MatchkeeperError("A player was lost or matched twice", hint="This is a defect.")


def demo_settings(config: Path | None, redis_url: str | None) -> Settings:
    """The demo's own modes and short deadlines, unless a file says otherwise."""
    if config is not None:
        return settings_from(config, redis_url)
    modes = [
        {"game_mode": "Normal", "required_players": 2, "max_wait_seconds": 60},
        {
            "game_mode": "Ranked",
            "required_players": 2,
            "use_mmr_matching": True,
            "max_wait_seconds": 60,
        },
        {
            "game_mode": "Squad",
            "required_players": 4,
            "teams": 2,
            "use_mmr_matching": True,
            "mmr_window_start": 300,
            "handoff": "claim",
            "max_wait_seconds": 60,
        },
    ]
    return settings_from(
        None,
        redis_url,
        server__port=0,
        matchmaking__game_modes=modes,
        matchmaking__offer_timeout_seconds=2,
        matchmaking__try_match_tick_interval_seconds=1,
    )


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

    findings = _in_loop(Examination(settings, send_test_alert=send_test_alert).run())
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


def _url(settings: Settings) -> str | None:
    return None if settings.redis.url is None else settings.redis.url.get_secret_value()

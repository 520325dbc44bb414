"""`demo`, and `break` for a second terminal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

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
    table,
)
from matchkeeper.errors import MatchkeeperError, NotFoundError

if TYPE_CHECKING:
    import httpx

    from matchkeeper.config import Settings

_HOST = "127.0.0.1"
_PORT = 8080
_ANSWER_SECONDS = 30.0
"""A Valkey that is started again reads its file first."""


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(demo)
    app.command("break")(break_)


def demo(
    config: ConfigOption = None,
    redis_url: UrlOption = None,
    pods: Annotated[int, typer.Option(min=1, max=50, help="Simulated game servers.")] = 3,
    rate: Annotated[
        float, typer.Option(min=0.1, max=2000, help="Players a second, at the evening's peak.")
    ] = 8.0,
    day_minutes: Annotated[
        float, typer.Option(min=0.1, max=1440, help="Minutes that a day takes.")
    ] = 5.0,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="End after so long. [until Ctrl-C]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="For the same players each time.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the page. [8080, or any if that is taken]"),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open the page in a browser.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Save the last view as an SVG file.", dir_okay=False)
    ] = None,
) -> None:
    """Run everything at once: Valkey, server, game servers and a day of players in minutes.

    They speak the real wire; page and view show what they were told. Break things on the page, or
    in another terminal with `matchkeeper break`. Exits with 1 if anybody was lost or matched twice.

    Example: matchkeeper demo --rate 50 --day-minutes 2
    """
    settings = demo_settings(config, redis_url, port=_port(port))
    from matchkeeper.cli.demo import DemoOptions, run_demo  # noqa: PLC0415  # slow to import

    options = DemoOptions(
        pods=pods,
        players_per_second=rate,
        day=timedelta(minutes=day_minutes),
        seconds=seconds,
        seed=seed,
        open_page=not no_open,
        picture=picture,
    )
    with TemporaryDirectory(prefix="matchkeeper-demo-") as folder:
        good = in_loop(run_demo(settings, options, url=secret_url(settings), folder=Path(folder)))
    if not good:
        raise MatchkeeperError("A player was lost or matched twice", hint="This is a defect.")


def demo_settings(config: Path | None, redis_url: str | None, *, port: int) -> Settings:
    """The demo's own modes and short times, unless a file says otherwise. HTTP is for this machine
    only, whatever the file says.
    """
    here: dict[str, object] = {"server__host": _HOST, "server__port": port}
    if config is not None:
        return settings_from(config, redis_url, **here)
    claimed = {"handoff": "claim", "claim_lease_seconds": 3}
    modes = [
        {"game_mode": "Normal", "required_players": 2, **claimed},
        {"game_mode": "Ranked", "required_players": 2, "use_mmr_matching": True, **claimed},
        {
            "game_mode": "Squad",
            "required_players": 6,
            "teams": 2,
            "use_mmr_matching": True,
            "mmr_window_start": 300,
            "max_wait_seconds": 120,
            **claimed,
        },
    ]
    return settings_from(
        None,
        redis_url,
        **here,
        server__shutdown_deadline_seconds=5,
        redis__breaker_cooldown_seconds=3,
        redis__breaker_cooldown_max_seconds=5,
        alerts__game_server_failure_threshold=5,
        matchmaking__game_modes=modes,
        matchmaking__redis_operation_timeout_seconds=2,
        matchmaking__offer_timeout_seconds=2,
        matchmaking__try_match_tick_interval_seconds=0.5,
    )


def _port(wanted: int | None) -> int:
    """The port that `matchkeeper break` looks at, unless somebody else has it: then any."""
    if wanted is not None:
        return wanted
    from matchkeeper.server.http.serving import bind  # noqa: PLC0415  # slow to import

    try:
        bind(_HOST, _PORT).close()
    except MatchkeeperError:
        return 0
    return _PORT


def break_(
    control: Annotated[
        str | None, typer.Argument(help="What to break. Without one, all are listed.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the demo.")] = _PORT,
    as_json: JsonOption = False,
) -> None:
    """Break something in the demo that runs on this machine, and mend it.

    What is on is ended by the same command again. Watch the demo meanwhile: nobody is lost.
    Nothing but a demo can be broken; `matchkeeper serve` has no such controls.

    Example: matchkeeper break redis_stopped
    """
    board = _ask_demo(port, control)
    if as_json:
        show_json(board)
        return
    listed = table("control", "on", "what it does", whole=("control",))
    for each in board["controls"]:
        state = ("ON" if each["on"] else "off") if each["kind"] == "toggle" else "-"
        listed.add_row(each["name"], state, each["what"])
    out.print(listed)
    figures = board["figures"]
    lost = str(figures["lost"]) if figures["known"] else "unknown while Redis is away"
    out.print(
        f"players {figures['players']}  matched {figures['matched']}  lost {lost}  "
        f"doubled {figures['doubled']}"
    )


def _ask_demo(port: int, control: str | None) -> dict[str, Any]:
    """How everything stands, after the control was pressed. Raises MatchkeeperError."""
    import httpx  # noqa: PLC0415  # slow to import

    url = f"http://{_HOST}:{port}/demo"
    # No proxy stands between this machine and itself.
    with httpx.Client(trust_env=False, timeout=_ANSWER_SECONDS) as http:
        try:
            board = _board(http.get(url), url)
            if control is not None:
                known = [each["name"] for each in board["controls"]]
                if control not in known:
                    raise NotFoundError(
                        f"The demo has no control {control!r}", hint=f"It has: {', '.join(known)}"
                    )
                board = _board(http.post(f"{url}/{control}", json={}), url)
        except httpx.HTTPError as error:
            raise NotFoundError(
                f"No demo answers at {url}: {error or type(error).__name__}",
                hint="Start one with: matchkeeper demo. It says its port; give it with --port.",
            ) from None
    return board


def _board(answer: httpx.Response, url: str) -> dict[str, Any]:
    """The document of an answer. Raises MatchkeeperError."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if isinstance(document, dict) and "controls" in document and answer.is_success:
        return document
    error = document.get("error", {}) if isinstance(document, dict) else {}
    if answer.status_code == 404 or not isinstance(error, dict) or "message" not in error:
        raise NotFoundError(
            f"What answers at {url} is no demo",
            hint="A demo says its port; give it with --port.",
        )
    raise MatchkeeperError(printable(str(error["message"])), hint=printable(error.get("hint", "")))

"""`matchkeeper swarm`: players and game servers by the thousand, to try a deployment."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from crowd.behaviours import FOR_DEPLOYMENTS, Behaviour
from crowd.mix import Mix
from crowd.people import CrowdOptions, Pace
from crowd.requests import Via
from matchkeeper.cli import swarm_options as given
from matchkeeper.cli.common import ConfigOption, UrlOption, in_loop, settings_from, url_of
from matchkeeper.domain.party import misfit
from matchkeeper.domain.realm import folded
from matchkeeper.errors import ConfigError
from matchkeeper.wire.parties import MOST_PLAYERS

if TYPE_CHECKING:
    from matchkeeper.config import Settings
    from matchkeeper.domain.mode import GameMode
    from matchkeeper.swarm.world import Target

_ENVELOPE_BYTES = 512
"""The bytes of a request without its metadata."""


def swarm(
    config: ConfigOption = None,
    redis_url: UrlOption = None,
    players: given.Players = 500,
    rate: given.Rate = 50.0,
    ramp: given.Ramp = 0.0,
    mode: given.Modes = None,
    parties: given.Parties = "1",
    mix: given.Behaviours = given.MIX,
    via: given.How = Via.PUBSUB,
    metadata_bytes: given.MetadataBytes = 0,
    ratings: given.Ratings = "1500,300",
    timeout: given.Timeout = 30.0,
    late: given.Late = 10.0,
    seed: given.Seed = None,
    pods: given.Pods = 4,
    pod_mix: given.PodBehaviours = "claims",
    min_success: given.MinSuccess = 99.0,
    max_p95_wait: given.MaxP95Wait = None,
    max_errors: given.MaxErrors = None,
    report: given.Report = None,
    json_file: given.JsonFile = None,
    yes: given.Yes = False,
) -> None:
    """Try your deployment: players and game servers that behave well and badly, and a verdict.

    It speaks the wire as a game server does, to the named Redis and to nobody else, and takes its
    players out again. Not where real players are: they would be matched with these.

    Exits with 0 when all limits are reached, 1 when one is missed or an invariant is broken.
    Ctrl-C ends early with what was seen, twice at once.

    Example: matchkeeper swarm --redis-url redis://localhost:6379 --players 2000 --rate 200

    Example: matchkeeper swarm -c prod.toml --pods 0 --ramp 30 --max-p95-wait 5 --report out.html
    """
    settings = settings_from(config, redis_url)
    url = url_of(settings)
    behaviours = given.parse_mix(mix, Behaviour, option="--mix")
    modes = _modes(mode, settings, is_given=config is not None)
    mean, deviation = _ratings(ratings)
    crowd = CrowdOptions(
        pace=Pace(rate=rate, ramp_seconds=ramp),
        behaviours=behaviours,
        modes=modes,
        parties=_parties(given.parse_parties(parties), modes, settings),
        too_large=_too_large(behaviours, modes, settings),
        homes=max(1, pods),
        rating_mean=mean,
        rating_deviation=deviation,
        seed=random.randrange(2**32) if seed is None else seed,  # noqa: S311  # no secret
    )
    servers = given.parse_mix(pod_mix, FOR_DEPLOYMENTS, option="--pod-mix")
    _check_size(metadata_bytes, crowd, settings.matchmaking.max_message_bytes)
    _check_writable(report, json_file)
    _permit(url, players, yes=yes)
    from matchkeeper.cli.swarm_run import Job, play  # noqa: PLC0415  # slow to import
    from matchkeeper.swarm.tally import Thresholds  # noqa: PLC0415
    from matchkeeper.swarm.world import SwarmOptions  # noqa: PLC0415

    options = SwarmOptions(
        crowd=crowd,
        players=players,
        pod_mix=servers,
        pods=pods,
        via=via,
        metadata_bytes=metadata_bytes,
        timeout_seconds=timeout,
        late_seconds=late,
    )
    limits = Thresholds(
        min_success=min_success / 100, max_p95_wait_seconds=max_p95_wait, max_errors=max_errors
    )
    to = _target(settings, url)
    job = Job(target=to, options=options, thresholds=limits, report=report, json_file=json_file)
    in_loop(play(job))


def _permit(url: str, players: int, *, yes: bool) -> None:
    """Asks before anything goes to another machine. Raises ConfigError where it must not."""
    from matchkeeper.config import masked_redis_url  # noqa: PLC0415
    from matchkeeper.store.address import is_local  # noqa: PLC0415

    if yes or is_local(url):
        return
    where = masked_redis_url(url)
    refused = ConfigError(
        f"{where} is not this machine, and nothing was sent",
        hint="If that deployment is yours to load, say so with --yes.",
    )
    if not sys.stdin.isatty():
        raise refused
    question = f"Send {players} players to {where}, which is not this machine?"
    if not typer.confirm(question, default=False, err=True):
        raise refused


def _target(settings: Settings, url: str) -> Target:
    from datetime import timedelta  # noqa: PLC0415

    from matchkeeper.swarm.world import Target  # noqa: PLC0415

    matchmaking = settings.matchmaking
    return Target(
        url=url,
        enqueue_channel=matchmaking.requests[0],
        dequeue_channel=matchmaking.requests[1],
        handoff_channel=matchmaking.requests[2],
        result_channel=matchmaking.results,
        battle_channel=matchmaking.offers,
        realm=matchmaking.realm,
        max_message_bytes=matchmaking.max_message_bytes,
        sizes={each.name: each.required_players for each in settings.modes()},
        teams={each.name: each.teams for each in settings.modes()},
        operation_timeout=timedelta(seconds=matchmaking.redis_operation_timeout_seconds),
    )


def _modes(texts: list[str] | None, settings: Settings, *, is_given: bool) -> Mix[str]:
    known = {mode.queue.mode: mode.name for mode in settings.modes()}
    if not texts:
        return Mix(tuple((name, 1.0) for name in known.values()))
    modes = given.parse_modes(texts)
    for name, _ in modes.weights:
        if is_given and folded(name) not in known:
            raise ConfigError(
                f"--mode: there is no game mode {name!r} in the settings",
                hint=f"Known are {', '.join(known.values())}. For players who ask for a mode that "
                "nobody has there is --mix unknown_mode.",
            )
    return modes


def _ratings(text: str) -> tuple[float, float]:
    try:
        mean, deviation = (float(part) for part in text.split(","))
        if not (abs(mean) <= 1e6 and 0 <= deviation <= 1e6):
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"--ratings: {text!r} is not a mean and a deviation",
            hint="It looks like --ratings 1500,300.",
        ) from None
    return mean, deviation


def _mode_of(name: str, settings: Settings) -> GameMode | None:
    """None where the settings do not say what mode that is."""
    return next((each for each in settings.modes() if each.queue.mode == folded(name)), None)


def _parties(mix: Mix[int], modes: Mix[str], settings: Settings) -> dict[str, Mix[int]]:
    """Of the sizes those that each mode has room for. Raises ConfigError where a size fits into
    none of the modes, or none of the sizes into a mode.
    """
    wanted = [(size, weight) for size, weight in mix.weights if weight]
    found: dict[str, list[tuple[int, float]]] = {}
    unfit: dict[int, list[str]] = {}
    for name, weight in modes.weights:
        mode = _mode_of(name, settings)
        reasons = {size: misfit(size, mode) if mode is not None else "" for size, _ in wanted}
        found[name] = [each for each in wanted if not reasons[each[0]]]
        if weight and not found[name]:
            raise _unfit(reasons.values())
        for size, why in reasons.items():
            unfit.setdefault(size, []).append(why)
    for reasons_of_size in unfit.values():
        if all(reasons_of_size):
            raise _unfit(reasons_of_size)
    return {name: Mix(tuple(sizes)) for name, sizes in found.items() if sizes}


def _unfit(reasons: Iterable[str]) -> ConfigError:
    return ConfigError(
        f"--parties: {next(iter(reasons))}",
        hint="Choose other sizes, or with --mode a mode that has room for them. For parties that "
        "are too large there is --mix too_large.",
    )


def _too_large(behaviours: Mix[Behaviour], modes: Mix[str], settings: Settings) -> dict[str, int]:
    """Players of the smallest party that no match has room for, by mode, if any are to come."""
    if not dict(behaviours.weights).get(Behaviour.TOO_LARGE):
        return {}
    found = {}
    for name, _ in modes.weights:
        mode = _mode_of(name, settings)
        sizes = range(2, MOST_PLAYERS + 1)
        size = next((each for each in sizes if mode is not None and misfit(each, mode)), None)
        if size is None:
            raise ConfigError(
                f"--mix: nobody knows which party is too_large for {name}",
                hint=f"A party has at most {MOST_PLAYERS} players. Where teams are smaller, name "
                "the file with the settings of the mode: --config.",
            )
        found[name] = size
    return found


def _check_size(metadata_bytes: int, crowd: CrowdOptions, max_message_bytes: int) -> None:
    """Refuses a size at which each player, or each party, would be `oversized`."""
    sizes = [size for mix in crowd.parties.values() for size, _ in mix.weights]
    largest = max([*crowd.too_large.values(), *sizes])
    if largest * (metadata_bytes + _ENVELOPE_BYTES) > max_message_bytes:
        whose = f" of each of {largest} players" if largest > 1 else ""
        raise ConfigError(
            f"--metadata-bytes: {metadata_bytes}{whose} and the rest of the message are more than "
            f"max_message_bytes, {max_message_bytes}",
            hint="Give less, or the --config of a server that takes more. For players who send too "
            "much there is --mix oversized.",
        )


def _check_writable(*paths: Path | None) -> None:
    """Fails before the run, not after it."""
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise ConfigError(
                f"{path}: there is no folder {path.absolute().parent}", hint="Make it first."
            )

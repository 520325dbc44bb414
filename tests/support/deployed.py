"""The files of `deploy/`, read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from matchkeeper.config import CONFIG_VARIABLE, Settings, catalog, load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "docker/Dockerfile"
KUBERNETES = DEPLOY / "kubernetes"

VARIABLES = {each.variable for each in catalog() if each.variable} | {CONFIG_VARIABLE}
"""Every environment variable that the server knows."""


def compose() -> dict[str, Any]:
    """The services of compose.yaml."""
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def manifest(name: str) -> dict[str, Any]:
    """One file of the base for Kubernetes."""
    content: dict[str, Any] = yaml.safe_load((KUBERNETES / f"{name}.yaml").read_text("utf-8"))
    return content


def pod() -> dict[str, Any]:
    """What the Deployment says of a pod."""
    spec: dict[str, Any] = manifest("deployment")["spec"]["template"]["spec"]
    return spec


def container() -> dict[str, Any]:
    """The only container of the pod."""
    (found,) = pod()["containers"]
    return dict(found)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest), comments left out and lines joined."""
    text = DOCKERFILE.read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in found]


def of(instruction: str) -> list[str]:
    """What stands behind each instruction of one name."""
    return [rest for name, rest in instructions() if name == instruction]


def image_environment() -> dict[str, str]:
    """The ENV of the last stage."""
    last = max(index for index, (name, _) in enumerate(instructions()) if name == "FROM")
    words = " ".join(rest for name, rest in instructions()[last:] if name == "ENV").split()
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def healthcheck() -> list[str]:
    """The command of the image's HEALTHCHECK."""
    (text,) = of("HEALTHCHECK")
    command: list[str] = json.loads(text.partition("CMD ")[2])
    return command


def image_settings() -> Settings:
    """The settings in effect in a container; the URL is made up."""
    environment = {
        name: value
        for name, value in image_environment().items()
        if name in VARIABLES and name != CONFIG_VARIABLE
    }
    environment["MATCHKEEPER_REDIS__URL"] = "redis://valkey"
    return load(ROOT / "config/production.toml", environ=environment)


def unit() -> dict[str, list[str]]:
    """The systemd unit: every value of each key, whatever its section."""
    found: dict[str, list[str]] = {}
    text = (DEPLOY / "systemd/matchkeeper.service").read_text("utf-8")
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def seconds(text: str) -> float:
    """Of a duration such as `40s`, `40` or `1m`."""
    number, unit_name = re.fullmatch(r"(\d+)(s|m|)", text).groups()  # type: ignore[union-attr]
    return float(number) * (60 if unit_name == "m" else 1)


def health_paths(words: Sequence[str]) -> Iterator[str]:
    """Paths of the server's HTTP that a command asks for."""
    yield from re.findall(r"(?<=[0-9'])(/health/\w+|/metrics)", " ".join(words))

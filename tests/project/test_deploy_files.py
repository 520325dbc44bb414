"""What `deploy/` says fits the server, and keeps to the rules that matter in production."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from matchkeeper import __version__
from matchkeeper.config import CONFIG_VARIABLE, load
from matchkeeper.errors import ConfigError
from matchkeeper.server.http.health import health_router
from matchkeeper.server.wiring import Context
from matchkeeper.store.durability import Durability
from matchkeeper.store.embedded import executable
from tests.conftest import RealServer
from tests.support import deployed
from tests.support.acl import guarded, users
from tests.support.deployed import DEPLOY, KUBERNETES, ROOT
from tests.support.harness import serving

ROUTES = {route.path for route in health_router(cast("Context", None)).routes}
SLACK_SECONDS = 5
"""Behind the server's own deadline, for its process to end."""


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("*.y*ml")), ids=lambda file: file.name)
def test_yaml_can_be_read(file: Path) -> None:
    assert all(yaml.safe_load_all(file.read_text("utf-8")))


# The image.


def test_bases_are_pinned_to_a_patch_version() -> None:
    defaults = dict(rest.split("=") for rest in deployed.of("ARG"))
    bases = [re.sub(r"\$\{(\w+)\}", lambda m: defaults[m[1]], each) for each in deployed.of("FROM")]
    assert len(bases) == 2
    for base in bases:
        assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+( AS \w+)?", base)
    python = tuple(int(part) for part in defaults["PYTHON_VERSION"].split("."))
    assert python >= (3, 11)


def test_the_image_does_not_run_as_root() -> None:
    (user,) = deployed.of("USER")
    names = [name for name, _ in deployed.instructions()]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert names.index("USER") > names.index("FROM", names.index("FROM") + 1)
    assert "RUN" not in names[names.index("USER") :]


def test_signals_reach_the_server() -> None:
    (entrypoint,), (command,) = deployed.of("ENTRYPOINT"), deployed.of("CMD")
    assert [*json.loads(entrypoint), *json.loads(command)] == ["matchkeeper", "serve"]
    assert deployed.of("STOPSIGNAL") == ["SIGTERM"]


def test_the_build_is_pinned_and_fetches_nothing_else() -> None:
    runs = " ".join(deployed.of("RUN"))
    (makefile,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    assert f"uv=={makefile}" in runs
    assert runs.count("uv sync --frozen --no-dev") == 2
    assert not re.search(r"\b(curl|wget|apt-get|sudo)\b", runs)
    assert "latest" not in deployed.DOCKERFILE.read_text()
    assert not deployed.of("ADD")


def test_the_build_gets_what_it_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = [rest.split()[:-1] for rest in deployed.of("COPY") if not rest.startswith("--from")]
    assert "*" in lines
    assert {each.removeprefix("./") for words in copied for each in words} == allowed
    assert all((ROOT / each).exists() for each in allowed)


def test_the_image_knows_the_settings() -> None:
    environment = deployed.image_environment()
    named = {name for name in environment if name.startswith("MATCHKEEPER_")}
    assert named <= deployed.VARIABLES
    settings = deployed.image_settings()
    assert deployed.of("EXPOSE") == [str(settings.server.port)]
    assert settings.server.host == "0.0.0.0"  # noqa: S104  # in a container
    copied = [rest.split() for rest in deployed.of("COPY")]
    assert ["config/production.toml", environment[CONFIG_VARIABLE]] in copied


@pytest.mark.parametrize("of", ["image", "compose"])
async def test_the_health_check_tells_a_live_server_from_a_dead_one(
    of: str, valkey: RealServer, tmp_path: Path
) -> None:
    compose = deployed.compose()["matchkeeper"]["healthcheck"]["test"]
    command = deployed.healthcheck() if of == "image" else compose[1:]
    with serving(valkey.url, tmp_path) as server:
        await server.ready()

        async def code() -> int:
            words = [word.replace(":8080", f":{server.port}") for word in command[1:]]
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, *words],
                env={"MATCHKEEPER_SERVER__PORT": str(server.port)},
                capture_output=True,
                timeout=30,
                check=False,
            )
            return done.returncode

        assert await code() == 0
        server.kill()
        assert await code() != 0


# All of them.


def test_health_is_asked_where_it_is_answered() -> None:
    asked = [*deployed.health_paths(deployed.healthcheck())]
    asked += deployed.health_paths(deployed.compose()["matchkeeper"]["healthcheck"]["test"])
    probes = {name: deployed.container()[f"{name}Probe"] for name in _PROBES}
    asked += [probe["httpGet"]["path"] for probe in probes.values()]
    assert len(asked) == 2 + len(probes)
    assert set(asked) <= ROUTES
    # An outage of Redis must not start servers again, only take them out.
    assert probes["liveness"]["httpGet"]["path"] == "/health/live"
    assert probes["readiness"]["httpGet"]["path"] == "/health/ready"
    assert deployed.healthcheck()[-1].count("/health/live") == 1


_PROBES = ("startup", "liveness", "readiness")


def test_nobody_is_killed_before_the_shutdown_deadline() -> None:
    image = deployed.image_settings().server.shutdown_deadline_seconds + SLACK_SECONDS
    kubernetes = _config_map().server.shutdown_deadline_seconds + SLACK_SECONDS
    assert deployed.seconds(deployed.compose()["matchkeeper"]["stop_grace_period"]) >= image
    assert deployed.seconds(deployed.unit()["TimeoutStopSec"][0]) >= image
    assert deployed.pod()["terminationGracePeriodSeconds"] >= kubernetes


def test_the_version_is_the_same_everywhere() -> None:
    image = f"matchkeeper:{__version__}"
    assert deployed.compose()["matchkeeper"]["image"] == image
    assert deployed.container()["image"] == image
    assert image in deployed.DOCKERFILE.read_text()
    assert image in (ROOT / "docs/deploy.md").read_text()


# compose.yaml


@pytest.mark.parametrize("name", ["matchkeeper", "valkey", "prometheus", "grafana"])
def test_each_service_is_bounded_watched_and_started_again(name: str) -> None:
    service = deployed.compose()[name]
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert deployed.seconds(service["stop_grace_period"]) >= 30
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "no-new-privileges:true" in service["security_opt"]
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        if source.startswith("./"):
            assert (DEPLOY / source).exists(), source


def test_compose_gives_the_server_what_it_knows() -> None:
    server = deployed.compose()["matchkeeper"]
    assert set(server["environment"]) <= deployed.VARIABLES
    port = deployed.image_settings().server.port
    assert server["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f":{port}/" in " ".join(server["healthcheck"]["test"])
    text = (DEPLOY / "compose.yaml").read_text()
    wanted = set(re.findall(r"\$\{(\w+):\?", text))
    example = (DEPLOY / ".env.example").read_text()
    assert set(re.findall(r"^(\w+)=$", example, re.M)) == wanted
    assert set(re.findall(r"\$\{?(\w+)", text)) == wanted, "each is required, none has a default"


def test_valkey_keeps_what_the_durability_promises() -> None:
    service = deployed.compose()["valkey"]
    words = service["command"][1:]
    options = dict(zip(words[::2], words[1::2], strict=True))
    durability = Durability.parse(deployed.image_settings().redis.durability)
    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == durability.appendfsync
    assert options["--maxmemory-policy"] == "noeviction"
    assert f"./valkey/users.acl:{options['--aclfile']}:ro" in service["volumes"]


def test_the_probe_of_valkey_needs_no_password(valkey: RealServer, tmp_path: Path) -> None:
    kind, command = deployed.compose()["valkey"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    cli = executable().with_name("valkey-cli")
    folder = tmp_path / "guarded"
    folder.mkdir()
    with guarded(str(executable()), folder) as guard:
        port = guard.url("probe").rpartition(":")[2].partition("/")[0]
        here = command.replace("valkey-cli", f"{cli} -p {port}")
        assert subprocess.run(["sh", "-c", here], check=False, timeout=20).returncode == 0
    assert subprocess.run(["sh", "-c", here], check=False, timeout=20).returncode != 0


# Kubernetes


def _config_map() -> Any:
    names = {each["name"] for each in deployed.container()["env"]}
    given = {"MATCHKEEPER_REDIS__URL": "redis://valkey", "MATCHKEEPER_SERVER__API_TOKEN": "t"}
    assert given.keys() <= names
    return load(KUBERNETES / "matchkeeper.toml", environ=given)


def test_the_config_map_is_a_configuration() -> None:
    settings = _config_map()
    assert settings.server.host == "0.0.0.0"  # noqa: S104  # probes come from outside
    with pytest.raises(ConfigError, match=r"redis\.url"):
        load(KUBERNETES / "matchkeeper.toml", environ={})
    (port,) = deployed.container()["ports"]
    (service,) = deployed.manifest("service")["spec"]["ports"]
    assert port["containerPort"] == service["port"] == settings.server.port
    probes = [deployed.container()[f"{name}Probe"]["httpGet"]["port"] for name in _PROBES]
    assert {service["targetPort"], *probes} == {port["name"]}
    tables = tomllib.loads((KUBERNETES / "matchkeeper.toml").read_text())
    assert "api_token" not in tables["server"], "secrets stand in the Secret"


def test_secrets_come_from_the_secret() -> None:
    for each in deployed.container()["env"]:
        assert each["name"] in deployed.VARIABLES
        reference = each["valueFrom"]["secretKeyRef"]
        assert reference["name"] == "matchkeeper"
        assert reference["key"] in (ROOT / "docs/deploy.md").read_text()


def test_pods_have_no_rights_they_do_not_need() -> None:
    pod, container = deployed.pod(), deployed.container()
    (user,) = deployed.of("USER")
    assert pod["securityContext"]["runAsNonRoot"] is True
    ids = pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]
    assert f"{ids[0]}:{ids[1]}" == user
    assert pod["automountServiceAccountToken"] is False
    assert deployed.manifest("serviceaccount")["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == deployed.manifest("serviceaccount")["metadata"]["name"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


def test_one_server_always_stays() -> None:
    spec = deployed.manifest("deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = deployed.manifest("poddisruptionbudget")["spec"]
    assert budget["minAvailable"] == 1
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == budget["selector"]["matchLabels"] == labels
    assert deployed.manifest("service")["spec"]["selector"] == labels


def test_kustomize_gets_every_file() -> None:
    base = deployed.manifest("kustomization")
    files = {each.name for each in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(base["resources"]) == files
    (config_map,) = base["configMapGenerator"]
    assert all((KUBERNETES / each).exists() for each in config_map["files"])
    (volume,) = deployed.pod()["volumes"]
    assert volume["configMap"]["name"] == config_map["name"]
    (mount,) = deployed.container()["volumeMounts"]
    assert deployed.container()["args"][-1] == f"{mount['mountPath']}/{config_map['files'][0]}"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on this machine")
def test_kustomize_renders_the_base() -> None:
    done = subprocess.run(
        ["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kinds = [each["kind"] for each in yaml.safe_load_all(done.stdout)]
    assert sorted(kinds) == sorted(
        [
            "ServiceAccount",
            "ConfigMap",
            "Service",
            "Deployment",
            "PodDisruptionBudget",
            "NetworkPolicy",
        ]
    )


# systemd


def test_the_unit_starts_the_server_and_gives_it_time() -> None:
    unit = deployed.unit()
    program, *arguments = unit["ExecStart"][0].split()
    text = (ROOT / "docs/deploy.md").read_text()
    assert arguments[:2] == ["serve", "--config"]
    for path in (program.removesuffix("/bin/matchkeeper"), arguments[2], *unit["EnvironmentFile"]):
        assert path in text
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == [str(ConfigError.exit_code)]
    assert unit["DynamicUser"] == unit["NoNewPrivileges"] == ["yes"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert unit["ProtectSystem"] == ["strict"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd/matchkeeper.service").read_text()
    copy = tmp_path / "matchkeeper.service"
    # The program is not where the unit has it; another takes its place.
    copy.write_text(text.replace("/opt/matchkeeper/bin/matchkeeper", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# docs/deploy.md


def test_the_passwords_of_the_documentation_fit(tmp_path: Path) -> None:
    text = (ROOT / "docs/deploy.md").read_text()
    (script,) = re.findall(r"```\n(for user in .*?)```", text, re.S)
    (tmp_path / "deploy/valkey").mkdir(parents=True)
    copy = tmp_path / "deploy/valkey/users.acl"
    shutil.copy(DEPLOY / "valkey/users.acl", copy)
    done = subprocess.run(
        ["sh", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    passwords = dict(line.split() for line in done.stdout.splitlines())
    assert passwords.keys() == users().keys() - {"default", "probe"}
    lines = copy.read_text().splitlines()
    for user, password in passwords.items():
        assert re.fullmatch(r"[0-9a-f]{48}", password)
        (line,) = (line for line in lines if line.startswith(f"user {user} "))
        assert f" #{hashlib.sha256(password.encode()).hexdigest()} " in line
    assert len(set(passwords.values())) == 3
    assert "sha256-of" not in copy.read_text()

"""What all tables have in common, and all tables but [matchmaking]."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from matchkeeper.config.checks import (
    AppriseUrl,
    DurabilityText,
    Folder,
    Host,
    HostPattern,
    HttpUrl,
    Label,
    RedisUrl,
    ServerId,
    Token,
)

HOUR = 3600
DAY = 24 * HOUR


class Section(BaseModel):
    """A table: frozen, without unknown keys, types as written (no `"8080"` for 8080)."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        hide_input_in_errors=True,
    )


def allowed(text: str, *, default: str = "") -> JsonDict:
    """For fields whose type and bounds do not say everything: what is allowed, and the default."""
    return {"allowed": text, "default_text": default} if default else {"allowed": text}


class ServerSettings(Section):
    """[server]"""

    host: Host = Field(
        default="127.0.0.1",
        description="Address on which HTTP listens. `0.0.0.0` is every interface: only behind a "
        "firewall, or in a container.",
        json_schema_extra=allowed("an address or host name"),
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="TCP port of HTTP. 0: any free port."
    )
    api_token: Token | None = Field(
        default=None,
        description="Bearer token for API calls that change something. Without one, those calls "
        "are off.",
        json_schema_extra=allowed("a text of visible ASCII characters without blanks"),
    )
    allowed_hosts: tuple[HostPattern, ...] = Field(
        default=(),
        strict=False,
        description="Names by which browsers reach this server, such as behind a proxy. Requests "
        "for other names are answered 421, so that no page of strangers reads the API (DNS "
        "rebinding). Addresses, `localhost` and `server.host` need no entry. `/health` and "
        "`/metrics` answer to any name.",
        json_schema_extra=allowed(
            "a list of host names without a port; `*.example.com` for all below it, `*` for any",
            default="none",
        ),
    )
    max_connections: int = Field(
        default=256,
        ge=8,
        le=100_000,
        description="Most HTTP connections at once. Half of them may be open pages, 100 at most. "
        "The server takes fewer where the process may open few files, so that Redis always has its "
        "own.",
    )
    shutdown_deadline_seconds: float = Field(
        default=25,
        gt=0,
        le=HOUR,
        description="Everything ends within this time after SIGTERM.",
    )
    server_id: ServerId | None = Field(
        default=None,
        description="Name of this server for people, as it stands in Redis. No safety rests on it: "
        "each process adds a part of its own.",
        json_schema_extra=allowed(
            "1 to 64 letters, digits, and . _ : -", default="host, process and a random part"
        ),
    )


class LoggingSettings(Section):
    """[logging]"""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="Lines below this level are not written."
    )
    format: Literal["console", "json"] = Field(
        default="console", description="`console` for people, `json` (one object a line) for tools."
    )
    repeat_interval_seconds: float = Field(
        default=10,
        ge=0,
        le=DAY,
        description="The same line about bad messages, or about what Redis refuses, appears at "
        "most once in this time, and says how many were left out. 0: each time.",
    )


class RedisSettings(Section):
    """[redis]"""

    url: RedisUrl | None = Field(
        default=None,
        description="Address of Redis or Valkey, with user and password if it wants them. Without "
        "an address, an embedded server is started.",
        json_schema_extra=allowed(
            "redis://user:password@host:6379/0, with redis, rediss, valkey or valkeys; or "
            "unix:///path/of/the.sock",
            default="an embedded server",
        ),
    )
    password_file: Folder | None = Field(
        default=None,
        strict=False,
        description="File that holds the password of the user in `url`, and nothing else. It is "
        "read for each new connection: a new password needs no restart.",
        json_schema_extra=allowed("the path of a file; then `url` has no password"),
    )
    durability: DurabilityText = Field(
        default="none",
        description="How safe a player must be before `EnQueued` is sent. `none`: in the memory of "
        "Redis. `fsync`: on its disk (Redis 7.2 or Valkey, with `appendonly yes` and `appendfsync "
        "always`). `replicas:N`: on N replicas.",
        json_schema_extra=allowed('"none", "fsync", or "replicas:N" with N from 1 to 999'),
    )
    embedded_dir: Folder = Field(
        default=Path(".matchkeeper/valkey"),
        strict=False,
        description="Where the embedded server keeps its data.",
        json_schema_extra=allowed(
            "the path of a folder of its own, relative to the working directory or absolute"
        ),
    )
    max_connections: int = Field(
        default=32, ge=2, le=10_000, description="Most connections that this server opens."
    )
    durability_timeout_seconds: float = Field(
        default=5, gt=0, le=300, description="Longest wait for the disk or the replicas."
    )
    breaker_failures: int = Field(
        default=5,
        ge=1,
        le=10_000,
        description="Number of failures in a row that opens the circuit breaker.",
    )
    breaker_cooldown_seconds: float = Field(
        default=60, gt=0, le=DAY, description="How long an open breaker sends nothing."
    )
    breaker_cooldown_growth: float = Field(
        default=1.5,
        ge=1,
        le=10,
        description="Factor by which the cooldown grows when a probe fails.",
    )
    breaker_cooldown_max_seconds: float = Field(
        default=120,
        gt=0,
        le=DAY,
        description="Longest cooldown. At least `breaker_cooldown_seconds`.",
    )
    breaker_early_probe_seconds: float = Field(
        default=1,
        ge=0,
        le=HOUR,
        description="Time between probes of an open breaker. Each is one small write on a "
        "connection of its own, and the breaker closes early once Redis takes one. The time "
        "doubles whenever the breaker opens again within a minute. 0: the cooldown is waited out.",
    )
    breaker_jitter: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of the cooldown, at most, that is added at random, so that servers do "
        "not probe together.",
    )
    slow_call_seconds: float = Field(
        default=0,
        ge=0,
        le=HOUR,
        description="The breaker counts a call that takes so long as a failure. 0: it counts none.",
    )


class RetrySettings(Section):
    """[retry]"""

    max_attempts: int = Field(
        default=3, ge=1, le=20, description="Attempts at one Redis operation, the first included."
    )
    base_delay_seconds: float = Field(
        default=0.1,
        gt=0,
        le=60,
        description="Longest pause before the second attempt. It doubles before each further one, "
        "and the pause is a random part of it.",
    )
    max_delay_seconds: float = Field(
        default=2, gt=0, le=300, description="Longest pause. At least `base_delay_seconds`."
    )
    request_memory_seconds: float = Field(
        default=120,
        gt=0,
        le=DAY,
        description="How long Redis remembers what was answered, so that a repeated request has "
        "the effect of one. Must be longer than all attempts at one operation take together.",
    )


class AlertSettings(Section):
    """[alerts]"""

    game_server_failure_threshold: int = Field(
        default=10,
        ge=1,
        le=100_000,
        description="Number of attempts in a row without a game server after which an alert is "
        "sent.",
    )
    repeat_interval_seconds: float = Field(
        default=300,
        ge=1,
        le=7 * DAY,
        description="The same alert is sent at most once in this time.",
    )
    urls: tuple[AppriseUrl, ...] = Field(
        default=(),
        strict=False,
        description="Where alerts go: chat, e-mail, webhooks. They hold keys, so they are masked "
        "everywhere.",
        json_schema_extra=allowed(
            "a list, each item an Apprise URL such as slack://… or json://host/path", default="none"
        ),
    )
    pagerduty_routing_key: Token | None = Field(
        default=None,
        description="Integration key of PagerDuty's Events API v2. Without one, nobody is paged.",
        json_schema_extra=allowed("a text of visible ASCII characters without blanks"),
    )
    pagerduty_url: HttpUrl = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="Address at which PagerDuty takes events.",
        json_schema_extra=allowed("an http or https URL with a host and without a password"),
    )
    send_timeout_seconds: float = Field(
        default=10, gt=0, le=300, description="Deadline for each attempt to send an alert."
    )
    queue_size: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Number of alerts that may wait to be sent. Further ones are dropped.",
    )
    source: Label = Field(
        default="matchkeeper",
        description="What an alert names as its origin.",
        json_schema_extra=allowed("1 to 255 printable characters"),
    )


class TracingSettings(Section):
    """[tracing]"""

    enabled: bool = Field(
        default=False,
        description="Sends traces to an OpenTelemetry collector. Needs "
        "`pip install 'matchkeeper[otel]'`.",
    )
    endpoint: HttpUrl | None = Field(
        default=None,
        description="Address of the collector, for OTLP over HTTP. A URL without a path gets "
        "`/v1/traces`.",
        json_schema_extra=allowed(
            "an http or https URL with a host and without a password",
            default="`OTEL_EXPORTER_OTLP_ENDPOINT`, else http://localhost:4318",
        ),
    )
    service_name: Label | None = Field(
        default=None,
        description="What the traces name as their origin.",
        json_schema_extra=allowed(
            "1 to 255 printable characters", default="`OTEL_SERVICE_NAME`, else matchkeeper"
        ),
    )
    sample_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of the requests without a `traceparent` that is traced. For a request "
        "with one, its sender has decided.",
        json_schema_extra={"default_text": "`OTEL_TRACES_SAMPLER`, else 1"},
    )

"""How safe a change must be before anybody is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..errors import ConfigError


class DurabilityKind(StrEnum):
    """The three settings of `redis.durability`."""

    NONE = "none"
    FSYNC = "fsync"
    REPLICAS = "replicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Durability:
    """`none`: in the memory of Redis. `fsync`: on its disk. `replicas:N`: in N replicas as well."""

    kind: DurabilityKind = DurabilityKind.NONE
    replicas: int = 0
    timeout_ms: int = 5000

    @classmethod
    def parse(cls, text: str, *, timeout_seconds: float = 5.0) -> Durability:
        """From the setting. Raises ConfigError."""
        name, _, count = text.partition(":")
        timeout_ms = max(1, int(timeout_seconds * 1000))
        if text in ("none", "fsync"):
            return cls(kind=DurabilityKind(text), timeout_ms=timeout_ms)
        if name == "replicas" and count.isdecimal() and int(count) > 0:
            return cls(kind=DurabilityKind.REPLICAS, replicas=int(count), timeout_ms=timeout_ms)
        raise ConfigError(
            f"redis.durability is {text!r}",
            hint='Allowed are "none", "fsync" and "replicas:N" with N of at least 1.',
        )

    def __str__(self) -> str:
        """As in the setting."""
        return f"replicas:{self.replicas}" if self.replicas else self.kind.value

    @property
    def appendfsync(self) -> str:
        """The value that Redis must have. With `everysec`, WAITAOF of Valkey 8 and Redis 7.4
        answers before the disk has the write: https://github.com/redis/redis/pull/13793.
        """
        return "always" if self.kind is DurabilityKind.FSYNC else "everysec"

    @property
    def command(self) -> tuple[str | int, ...] | None:
        """The command sent behind a write, on the same connection; None: none is needed."""
        if self.kind is DurabilityKind.FSYNC:
            return ("WAITAOF", 1, 0, self.timeout_ms)
        if self.kind is DurabilityKind.REPLICAS:
            return ("WAIT", self.replicas, self.timeout_ms)
        return None

    def reached(self, reply: object) -> bool:
        """Whether the reply to `command` says that the write is safe."""
        if self.kind is DurabilityKind.FSYNC:
            return isinstance(reply, list) and bool(reply) and int(reply[0]) >= 1
        return isinstance(reply, int) and reply >= self.replicas

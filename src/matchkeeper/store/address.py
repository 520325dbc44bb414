"""Where a URL leads, read in the same way as the driver reads it."""

from __future__ import annotations

from ipaddress import ip_address

from redis.asyncio.connection import parse_url

from ..errors import ConfigError


def driver_url(url: str) -> str:
    """The URL as the driver knows it, which has no words for Valkey."""
    return url.replace("valkey://", "redis://").replace("valkeys://", "rediss://")


def unusable(why: Exception) -> ConfigError:
    """The error for a URL that the driver cannot read."""
    return ConfigError(
        f"redis.url cannot be used: {why}",
        hint="It looks like redis://user:password@host:6379/0, rediss://… or unix:///path.",
    )


def host_of(url: str) -> str | None:
    """The host that this URL leads to; None for a Unix socket. Raises ConfigError."""
    plain = driver_url(url)
    try:
        parts = dict(parse_url(plain))
    except ValueError as error:
        raise unusable(error) from None
    if "path" in parts and plain.startswith("unix:"):
        return None
    return str(parts.get("host", "localhost"))


def is_local(url: str) -> bool:
    """Whether this URL leads to this machine. Names other than localhost are not looked up."""
    host = host_of(url)
    if host is None or host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

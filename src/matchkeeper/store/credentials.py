"""A password that can be changed while the server runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from redis.credentials import CredentialProvider

from ..errors import ConfigError


class PasswordFile(CredentialProvider):
    """Reads the password for each new connection. After Redis has refused the old password, the
    next attempt has the new one. While the file cannot be read, the last password is used.

    Raises ConfigError when there is none to begin with.
    """

    def __init__(self, path: Path, username: str | None) -> None:
        self._path = path
        self._username = username
        try:
            self._password = self._read()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"redis.password_file {path} has no password: {error}",
                hint="It holds the password of the user in redis.url, and nothing else.",
            ) from None

    def _read(self) -> str:
        password = self._path.read_text("utf-8").rstrip("\r\n")
        if not password:
            raise ValueError("it is empty")
        return password

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """As redis-py asks for them."""
        with suppress(OSError, ValueError):  # the file is just being replaced
            self._password = self._read()
        return (self._username, self._password) if self._username else (self._password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same: a small file on this machine."""
        return self.get_credentials()

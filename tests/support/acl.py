"""A real server with the users of `deploy/valkey/users.acl`."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis as redis_py

from tests.conftest import RealServer

ACL = Path(__file__).parents[2] / "deploy/valkey/users.acl"
_OF_REALM = ACL.with_name("of_realm.sh")
_EVERYBODY = "user default on nopass ~* &* +@all\n"


def of_realm(realm: str) -> str:
    """The users of a realm, as docs/deploy.md makes them."""
    with ACL.open() as file:
        done = subprocess.run([_OF_REALM, realm], stdin=file, capture_output=True, check=True)
    return done.stdout.decode()


def users(text: str = "") -> dict[str, str]:
    """The rules of each user in the file, or in a text of this kind."""
    lines = (line.split(" ", 2) for line in (text or ACL.read_text("utf-8")).splitlines())
    return {name: rules for _, name, rules in lines}


def with_passwords(text: str) -> str:
    """As docs/deploy.md says; here the password of a user is its name."""
    return re.sub(
        r"#sha256-of-([\w-]+)", lambda m: f"#{hashlib.sha256(m[1].encode()).hexdigest()}", text
    )


def for_redis_7_0(text: str) -> str:
    """As docs/deploy.md says: without what came with Redis 7.2."""
    return text.replace(" +waitaof", "").replace(" +client|setinfo", "")


class GuardedServer:
    """A server on which only the users of the file are known."""

    def __init__(self, server: RealServer, *, is_redis_7_0: bool) -> None:
        self._server = server
        self.is_redis_7_0 = is_redis_7_0

    def url(self, user: str) -> str:
        """The address for one user."""
        return self._server.url.replace("redis://", f"redis://{user}:{user}@")

    def client(self, user: str) -> redis_py.Redis:
        """A plain client. Close it."""
        return redis_py.Redis.from_url(self.url(user), decode_responses=True, protocol=2)

    def denials(self) -> list[str]:
        """What the server has refused to whom."""
        with self.client("operator") as operator:
            log = operator.acl_log()
        return [f"{each['username']}: {each['reason']} {each['object']}" for each in log]


@contextmanager
def guarded(program: str, folder: Path, *, more: str = "") -> Iterator[GuardedServer]:
    """Starts a server open to everybody, then loads the file, as ACL LOAD does on a live one.
    `more`: users beside those of the file.
    """
    file = folder / "users.acl"
    file.write_text(_EVERYBODY)
    server = RealServer(program, folder, "--aclfile", str(file))
    server.fsync = "always"
    server.start()
    try:
        with redis_py.Redis.from_url(server.url, decode_responses=True) as everybody:
            version = everybody.info("server")["redis_version"]
            is_redis_7_0 = str(version).startswith("7.0.")
            text = with_passwords(ACL.read_text("utf-8") + more)
            file.write_text(for_redis_7_0(text) if is_redis_7_0 else text)
            everybody.acl_load()
        yield GuardedServer(server, is_redis_7_0=is_redis_7_0)
    finally:
        server.kill()

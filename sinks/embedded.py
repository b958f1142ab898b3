"""The embedded warehouse: ClickHouse's engine in a process of its own, serving ClickHouse's HTTP interface.

    python -m sinks.embedded --dir DIR [--port PORT] [--ready-file FILE]

binds 127.0.0.1 only and ends with SIGTERM, SIGINT, or the process that started it. `EmbeddedWarehouse` starts one
from Python.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
_GRACE_S = 3  # for queries under way when the process is asked to end
_LOG_TAIL_LINES = 20
_PACKAGES = ("chdb", "starlette", "uvicorn")


class WarehouseNotStarted(RuntimeError):
    """The warehouse's process does not serve. The message says why, and has the end of its log."""


class EmbeddedWarehouse:
    """A warehouse process of ours. As a context manager it is stopped at the end of the block."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, directory: Path) -> None:
        self._process = process
        self.host = HOST
        self.port = port
        self.directory = directory

    @classmethod
    def start(cls, directory: Path, timeout_s: float = START_TIMEOUT_S) -> EmbeddedWarehouse:
        """Over what `directory` has already, or empty. Its log goes to `warehouse.log` there.

        Errors: `WarehouseNotStarted` when a package is missing, another process has the directory, or it takes
        longer than `timeout_s`.
        """
        if missing := missing_packages():
            raise WarehouseNotStarted(missing)
        directory = directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        log_path = directory / "warehouse.log"
        with tempfile.TemporaryDirectory() as place, log_path.open("ab") as log:
            ready = Path(place, "port")
            log_starts_at = log.tell()
            process = _spawn(directory, ready, log)
            try:
                port = _await_port(process, ready, timeout_s)
            except BaseException as error:
                process.kill()
                process.wait()
                if isinstance(error, WarehouseNotStarted):
                    raise WarehouseNotStarted(f"{error}\n{_tail(log_path, log_starts_at)}") from None
                raise
        return cls(process, port, directory)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Let queries under way finish for a few seconds, then end the process. Stopping twice is harmless."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: what the warehouse would see of a power cut. Inserts that were answered stay."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> EmbeddedWarehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def missing_packages() -> str | None:
    """What to install, if the packages of the `embedded` extra are not here."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    return f"The embedded warehouse needs {', '.join(missing)}: pip install kassa[embedded]"


def _spawn(directory: Path, ready: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    arguments = ["--dir", str(directory), "--port", "0", "--ready-file", str(ready), "--parent", str(os.getpid())]
    return subprocess.Popen(
        [sys.executable, "-m", "sinks.embedded", *arguments],
        cwd=Path(__file__).resolve().parent.parent,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C is for whoever started us: they may have rows left to insert
    )


def _await_port(process: subprocess.Popen[bytes], ready: Path, timeout_s: float) -> int:
    give_up_at = time.monotonic() + timeout_s
    while not ready.exists():
        if process.poll() is not None:
            raise WarehouseNotStarted(f"The embedded warehouse ended with exit code {process.returncode}:")
        if time.monotonic() > give_up_at:
            raise WarehouseNotStarted(f"The embedded warehouse does not serve after {timeout_s:g} s:")
        time.sleep(0.02)
    return int(ready.read_text())


def _tail(log_path: Path, start: int) -> str:
    with log_path.open("rb") as log:
        log.seek(start)
        lines = log.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_LOG_TAIL_LINES:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 asked to end, 1 the directory or the port is not to be had, 2 a package is missing."""
    parser = argparse.ArgumentParser("python -m sinks.embedded", description="ClickHouse's engine over HTTP")
    parser.add_argument("--dir", type=Path, required=True, help="where the tables are kept")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--ready-file", type=Path, help="gets the port once it is served")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="the process to end with; 0 for none")
    options = parser.parse_args(arguments)
    if missing := missing_packages():
        print(missing, file=sys.stderr)
        return 2
    directory: Path = options.dir.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "warehouse.lock").open("a+") as lock:
        if refusal := _refusal(directory, lock):
            print(refusal, file=sys.stderr)
            return 1
        try:
            listener = _listener(options.port)
        except OSError as error:
            print(f"The embedded warehouse cannot listen on {HOST}:{options.port}: {error}", file=sys.stderr)
            return 1
        with listener:
            _serve(directory, listener, options.ready_file, options.parent)
    return 0


def _refusal(directory: Path, lock: IO[str]) -> str | None:
    """Why not to open the directory. The engine has a lock of its own, but explains itself at length."""
    if "?" in str(directory):
        return f"The embedded warehouse cannot use {directory}: the engine takes what follows a '?' for settings"
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        return f"The embedded warehouse in {directory} is in use by process {lock.read().strip() or '?'}"
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return None


def _serve(directory: Path, listener: socket.socket, ready: Path | None, parent: int) -> None:
    os.environ["TZ"] = "UTC"  # as ClickHouse's own image: the same query, the same text on every machine
    import uvicorn  # here, as the class above must be importable without it

    from sinks.embedded_engine import Engine
    from sinks.embedded_http import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            port = listener.getsockname()[1]
            if ready is not None:
                _write_whole(ready, str(port))
            else:
                print(f"The embedded warehouse serves http://{HOST}:{port}", flush=True)

        async def on_tick(self, counter: int) -> bool:
            # Looked at ten times a second: Linux's own signal for it comes when the *thread* that started us ends.
            if parent and os.getppid() != parent:
                self.should_exit = True
            return await super().on_tick(counter)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Being asked to end is no failure: uvicorn would die of the signal after all.
            self.should_exit = True

    config = uvicorn.Config(
        create_app(Engine(directory / "clickhouse")),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_keep_alive=3_600,  # a pooled connection closed under a client fails its next insert
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=1 << 20,  # queries come in URLs
    )
    Server(config).run([listener])


def _listener(port: int) -> socket.socket:
    """With its protocol named: asyncio sends at once (TCP_NODELAY) only where it is, or an answer takes 40 ms."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())

"""The whole of Kassa on one machine: broker, warehouse, workers and sink as processes of ours.

On the embedded broker, which forgets, it starts empty; on Apache Kafka it goes on from what it was. It ends with the
process that started it. Other commands of this checkout find it through `stack.toml` in the settings' directory.
"""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from console.errors import KassaError
from sinks.embedded import EmbeddedWarehouse
from sinks.migrations import migrate
from sinks.warehouse import open_warehouse
from streams.embedded import EmbeddedBroker
from streams.health import url_file
from streams.keyring import ensure_operator_key, ensure_server_key
from streams.lifeline import spawn
from streams.settings import STACK_FILE, Settings
from streams.topics import create_or_verify

_READY_S = 60.0
_STOP_S = 10.0


class StackError(KassaError):
    """The stack cannot be started, or a part of it that keeps data has ended."""


class Broker(Protocol):
    """A broker of ours that runs: the embedded one, or Apache Kafka."""

    @property
    def bootstrap(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def is_running(self) -> bool: ...
    def stop(self) -> None: ...


class Stack:
    """A running stack. `settings` reach it; as a context manager it is stopped at the end of the block."""

    def __init__(
        self,
        directory: Path,
        *,
        workers: int = 1,
        partitions: int = 4,
        sink: bool = True,
        notify: bool = False,
        start_broker: Callable[[Path], Broker] = EmbeddedBroker.start,
    ) -> None:
        self.directory = directory.resolve()
        self.workers = workers
        self._lock = _locked(self.directory)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._starts: dict[str, Callable[[], subprocess.Popen[bytes]]] = {}
        for left in (self.directory / "run").glob("*.http"):  # by parts of a stack that was killed
            left.unlink()
        try:
            self.broker = start_broker(self.directory / "run")
        except BaseException:
            self._lock.close()
            raise
        try:
            _forget_other_ledgers(self.directory, self.broker.identity)
            self.warehouse = EmbeddedWarehouse.start(self.directory / "warehouse")
            self.settings = Settings(
                dir=self.directory,
                kafka=self.broker.bootstrap,
                clickhouse=self.warehouse.url,
                partitions=partitions,
                embedded=isinstance(self.broker, EmbeddedBroker),
            )
            self._prepare(sink)
            if notify:
                self.start("notify-1", "notify", {})
        except BaseException:
            self.broker.stop()
            self._lock.close()
            raise

    def _prepare(self, sink: bool) -> None:
        ensure_server_key(self.settings)
        ensure_operator_key(self.settings)
        create_or_verify(self.settings)
        with open_warehouse(self.settings) as client:
            migrate(client, self.settings.database)
        self.tell()
        for _ in range(self.workers):
            self.add_worker()
        if sink:
            self.start_sink()

    def tell(self, **more: str) -> None:
        """Write `stack.toml`, by which other commands find this stack; `more` adds keys to it."""
        found = {"kafka": self.settings.kafka, "clickhouse": self.settings.clickhouse, **more}
        lines = [f'{name} = "{value}"' for name, value in found.items()] + [
            f"partitions = {self.settings.partitions}",
            f"embedded = {str(self.settings.embedded).lower()}",
        ]
        (self.directory / STACK_FILE).write_text("\n".join(lines) + "\n")

    @property
    def worker_names(self) -> list[str]:
        """Every worker started so far, also those that have ended."""
        return [name for name in self._starts if name.startswith("worker-")]

    def add_worker(self) -> str:
        """Start one more worker and return its name; it takes its partitions over from those that run."""
        name = f"worker-{len(self.worker_names) + 1}"
        self.start(name, "worker", {"KASSA_WORKER_ID": name})
        return name

    def start_sink(self) -> None:
        self.start("sink-1", "sink", {})

    def start(self, name: str, command: str, env: dict[str, str]) -> None:
        """Start a `kassa` command as a part of the stack; its log is `run/<name>.log`."""
        reach = {
            "KASSA_DIR": str(self.directory),
            "KASSA_KAFKA": self.settings.kafka,
            "KASSA_CLICKHOUSE": self.settings.clickhouse,
            "KASSA_PARTITIONS": str(self.settings.partitions),
            "KASSA_EMBEDDED": str(self.settings.embedded),
            "KASSA_HTTP": "127.0.0.1:0",
        }
        log = self.directory / "run" / f"{name}.log"
        line = [sys.executable, "-m", "console", command]
        self._starts[name] = lambda: spawn(line, log=log, env={**reach, **env})
        self._children[name] = self._starts[name]()

    def wait_ready(self, time_out_s: float = _READY_S) -> None:
        """Wait until every worker decides and the sink can be asked how it is.

        Raises StackError with the end of the log of one that does not come so far.
        """
        deadline = time.monotonic() + time_out_s
        for name in self._children:
            while not self._has_come(name):
                if self._children[name].poll() is not None or time.monotonic() > deadline:
                    raise StackError(f"{name} did not start: {self._log_end(name)}")
                time.sleep(0.02)

    def pid(self, name: str) -> int:
        """The process of a part."""
        return self._children[name].pid

    def urls(self) -> dict[str, str]:
        """Where each part answers /health, /ready and /metrics, by its name; of parts that listen already."""
        files = {name: url_file(self.settings, name) for name in self._children}
        return {name: path.read_text().strip() for name, path in files.items() if path.exists()}

    def held(self, worker: str) -> set[int] | None:
        """The partitions a worker says it has open; None while it starts, rebalances or does not run.

        Its own word: one that is frozen does not take it back.
        """
        try:
            return set(map(int, self._ready(worker).read_text().split()))
        except FileNotFoundError:
            return None

    def kill(self, name: str) -> None:
        """kill -9, as a machine that dies; `revive` starts it again."""
        self._children[name].kill()
        self._children[name].wait()
        self._ready(name).unlink(missing_ok=True)

    def stop_one(self, name: str) -> None:
        """Stop a part in an orderly way (SIGTERM), by force when it takes too long; `revive` starts it again."""
        _end(self._children[name], _STOP_S)
        self._ready(name).unlink(missing_ok=True)

    def pause(self, name: str) -> None:
        """Freeze a part (SIGSTOP): its connections stay open and it does nothing."""
        self._children[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a frozen part go on, from where it was."""
        self._children[name].send_signal(signal.SIGCONT)

    def revive(self, name: str) -> None:
        """Start a part again that has ended."""
        self._children[name] = self._starts[name]()

    def ended(self) -> list[str]:
        """The workers and sinks whose process is not there."""
        return [name for name, child in self._children.items() if child.poll() is not None]

    def look_after(self) -> list[str]:
        """Start again what has ended; returns the names. Raises StackError when the broker or warehouse has ended."""
        if not self.broker.is_running or not self.warehouse.is_running:
            raise StackError(f"the broker or the warehouse has ended: look at the logs in {self.directory / 'run'}")
        ended = self.ended()
        for name in ended:
            self.revive(name)
        return ended

    def stop(self) -> None:
        """Stop every part, workers and sink in an orderly way."""
        (self.directory / STACK_FILE).unlink(missing_ok=True)
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            _end(child, _STOP_S)
        self.warehouse.stop()
        self.broker.stop()
        self._lock.close()

    def _has_come(self, name: str) -> bool:
        return self.held(name) is not None if name.startswith("worker") else url_file(self.settings, name).exists()

    def _ready(self, name: str) -> Path:
        return self.directory / "run" / f"{name}.ready"

    def _log_end(self, name: str) -> str:
        return (self.directory / "run" / f"{name}.log").read_text(errors="replace")[-400:].strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _end(child: subprocess.Popen[bytes], time_out_s: float) -> None:
    child.terminate()
    child.send_signal(signal.SIGCONT)  # a frozen one does not hear of its end
    try:
        child.wait(timeout=time_out_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _forget_other_ledgers(directory: Path, identity: str) -> None:
    """Empty what was folded from another broker's records: here it would be wrong, and it can be made anew."""
    kept = directory / "run" / "ledger.identity"
    if kept.exists() and kept.read_text() == identity:
        return
    for folded in ("warehouse", "snapshots", "subscribers"):
        shutil.rmtree(directory / folded, ignore_errors=True)
    kept.write_text(identity)


def _locked(directory: Path) -> IO[str]:
    """One stack a directory: two would overwrite each other's files. The lock goes with the process."""
    (directory / "run").mkdir(parents=True, exist_ok=True)
    lock = (directory / "run" / "stack.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StackError(f"a stack is running in {directory} already: stop it first, or set KASSA_DIR") from None
    return lock

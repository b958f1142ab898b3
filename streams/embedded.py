"""The one-machine broker: real Kafka protocol, transactions and fencing in a PyPI package, no Docker, no Java.

It keeps records in memory and forgets them when it stops: for trying, developing and testing. What must last runs on
Apache Kafka; no other part of Kassa knows which of the two it talks to.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import uuid
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.lifeline import spawn

_LISTENING = re.compile(r"kafka\s+(127\.0\.0\.1:\d+)")


class EmbeddedBrokerError(RuntimeError):
    """The embedded broker cannot be started; the text says why."""


class EmbeddedBroker:
    """One broker process on a free port of this machine; dies with the process that started it."""

    def __init__(self, process: subprocess.Popen[bytes], bootstrap: str) -> None:
        self._process = process
        self.bootstrap = bootstrap
        self.identity = uuid.uuid4().hex  # of its records, which no other start has

    @classmethod
    def start(cls, directory: Path, time_out_s: float = 20) -> EmbeddedBroker:
        """Start an empty broker with its log in `directory`; raises EmbeddedBrokerError."""
        state = directory / "broker"
        shutil.rmtree(state, ignore_errors=True)  # what an earlier one saved at its end would come back half
        state.mkdir(parents=True)
        log = directory / "broker.log"
        log.write_bytes(b"")
        command = [str(_binary()), "start", "--only", "kafka", "--kafka-port", "0", "--data-dir", str(state)]
        process = spawn(command, log=log)
        deadline = time.monotonic() + time_out_s
        while time.monotonic() < deadline and process.poll() is None:
            if match := _LISTENING.search(log.read_text(errors="replace")):
                return cls(process, match[1])
            time.sleep(0.02)
        process.kill()
        process.wait()
        raise EmbeddedBrokerError(f"the embedded broker did not start: {log.read_text(errors='replace')[-500:]}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Stop it at once; everything it held is gone."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _binary() -> Path:
    try:
        binary = Path(str(files("noida_db").joinpath("noida-db")))
    except ModuleNotFoundError:
        raise EmbeddedBrokerError("the embedded broker is not installed: pip install 'kassa[embedded]'") from None
    if not binary.exists():
        raise EmbeddedBrokerError(f"no embedded broker for this platform at {binary}: set KASSA_KAFKA to a real one")
    return binary

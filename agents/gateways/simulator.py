"""Payees to try against: a process that speaks their protocols, keeps their books, and misbehaves as it is told.

python -m agents.gateways.simulator --port 8090 --ready-file /tmp/ready --config payees.json
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import orjson
from aiohttp import web
from pydantic import Field, ValidationError, ValidationInfo, field_validator

from agents.gateways.simulator_book import Journal, Paid
from agents.gateways.simulator_faults import Behaviour
from agents.gateways.simulator_payees import Payees
from agents.gateways.simulator_server import RESERVED, server
from agents.gateways.simulator_wire import Wire
from agents.gateways.simulator_wires import WIRES
from schemas.ids import PayeeId
from schemas.ids import Wire as Message
from streams import lifeline

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0


class SimulatorConfig(Message):
    """The process's configuration file, JSON."""

    seed: int = 1
    wires: dict[str, str] = Field(default_factory=dict, description='further protocols: name -> "module:attribute"')
    payees: dict[PayeeId, Behaviour]

    @field_validator("payees")
    @classmethod
    def _names_are_free(cls, payees: dict[str, Behaviour], others: ValidationInfo) -> dict[str, Behaviour]:
        if taken := RESERVED.intersection(payees):
            raise ValueError(f"no payee can be called {min(taken)!r}: it is a path of the simulator's own")
        spoken = WIRES.keys() | others.data.get("wires", {}).keys()
        if unknown := {behaviour.protocol for behaviour in payees.values()} - spoken:
            raise ValueError(f"no simulated payee speaks {min(unknown)!r}")
        return payees

    def spoken(self) -> dict[str, Wire]:
        """All wires there are. Raises ImportError or AttributeError for one that cannot be had."""
        found = dict(WIRES)
        for name, place in self.wires.items():
            module, _, attribute = place.partition(":")
            found[name] = getattr(import_module(module), attribute)
        return found


class SimulatorFailed(RuntimeError):
    """The simulator's process did not start, or does not answer."""


@dataclass
class Simulator:
    """A simulator in a process of its own, which the kernel ends when ours ends."""

    process: subprocess.Popen[bytes]
    port: int

    @classmethod
    def start(
        cls,
        directory: Path,
        payees: Mapping[str, Behaviour],
        seed: int = 1,
        *,
        journal: bool = False,
        port: int = 0,
        wires: Mapping[str, str] | None = None,
    ) -> Self:
        """Start it and wait until it serves. Raises SimulatorFailed.

        directory: where its configuration, log and (with `journal`) journal are. With the same directory, journal
        and port a killed simulator comes back with its book under its old address. port: 0 takes a free one. wires:
        protocols that are not in simulator_wires.py, as "module:attribute".
        """
        directory.mkdir(parents=True, exist_ok=True)
        config, ready, log = directory / "payees.json", directory / "ready", directory / "simulator.log"
        config.write_text(SimulatorConfig(seed=seed, wires=dict(wires or {}), payees=dict(payees)).model_dump_json())
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "agents.gateways.simulator", "--port", str(port)]
        command += ["--ready-file", str(ready), "--config", str(config)]
        command += ["--journal", str(directory / "book.journal")] if journal else []
        process = lifeline.spawn(command, log=log)
        return cls(process, _wait_until_ready(process, ready, log))

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def url_of(self, payee: str) -> str:
        """The address for this payee's gateway record."""
        return f"{self.url}/{payee}/"

    def behave(self, payee: str, behaviour: Behaviour) -> None:
        """From the next request on this payee behaves so; it is introduced if it is new."""
        self._call("POST", f"/behaviour/{payee}", behaviour.model_dump_json())

    def book(self) -> dict[str, dict[int, Paid]]:
        """What every payee was paid, by payee and our number of the payment."""
        return {payee: self.book_of(payee) for payee in self.totals()}

    def book_of(self, payee: str) -> dict[int, Paid]:
        paid: dict[int, Paid] = {}
        start: int | None = 0
        while start is not None:
            page = self._call("GET", f"/book/{payee}?from={start}")
            for row in page["paid"]:
                txn, prv_txn = int(row.pop("txn")), int(row.pop("prv_txn"))
                paid[txn] = Paid(**row, prv_txn=prv_txn)
            start = page["next"]
        return paid

    def totals(self) -> dict[str, dict[str, Any]]:
        """By payee: paid (how many), sum (major units, text), refused, inconsistencies, cancelled (of those paid)."""
        totals: dict[str, dict[str, Any]] = self._call("GET", "/book")
        return totals

    def stop(self) -> None:
        """End it in order, or by force after STOP_TIMEOUT_S."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would. What it answered is in its journal, if it has one."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _call(self, method: str, path: str, body: str | None = None) -> Any:
        try:
            # Plain HTTP on this machine: no authorities to load, which takes longer than the call.
            with httpx.Client(trust_env=False, verify=False, timeout=10) as client:
                reply = client.request(method, self.url + path, content=body).raise_for_status()
        except httpx.HTTPError as error:
            raise SimulatorFailed(f"{method} {path}: {error}") from error
        return orjson.loads(reply.content) if reply.content else None


def _wait_until_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise SimulatorFailed(f"the simulator does not serve; its log ends with: {log.read_text()[-1000:]}")
        time.sleep(0.01)
    return int(ready.read_text())


async def serve(config: SimulatorConfig, *, port: int, ready_file: Path | None, journal: Journal | None) -> None:
    """Serve until SIGTERM or SIGINT. The ready file gets the port, all at once, when requests are taken."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.ServerRunner(
        server(Payees(config.payees, config.seed, journal), config.spoken()), shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port, reuse_address=True).start()
        bound = runner.addresses[0][1]
        if ready_file is not None:
            unfinished = ready_file.with_name(ready_file.name + ".new")
            unfinished.write_text(str(bound))
            unfinished.replace(ready_file)
        print(f"payees on http://{HOST}:{bound}/: {', '.join(config.payees)}", flush=True)
        await stopped.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m agents.gateways.simulator", description="Payees to try against.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--ready-file", type=Path, help="gets the port when requests are taken")
    parser.add_argument("--config", type=Path, required=True, help='JSON: {"seed": 1, "payees": {"mts": {}}}')
    parser.add_argument("--journal", type=Path, help="keep the book in this file, also over a kill")
    options = parser.parse_args()
    try:
        config = SimulatorConfig.model_validate_json(options.config.read_bytes())
        with contextlib.ExitStack() as stack:
            journal = stack.enter_context(Journal(options.journal)) if options.journal else None
            asyncio.run(serve(config, port=options.port, ready_file=options.ready_file, journal=journal))
    except (ValidationError, OSError, OverflowError, ImportError, AttributeError) as error:
        parser.exit(2, f"payees: {' '.join(str(error).split())}\n")


if __name__ == "__main__":
    main()

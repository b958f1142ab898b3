"""Other systems pay through Kassa as if it were a payee; one of them is Kassa itself, by its own OSMP gateway."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import httpx
import pytest

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.stack import Stack
from streams.lifeline import spawn
from tests.cli_runs import Kassa, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long]

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    payees = {
        "mobile": Behaviour(),
        "slow": Behaviour(delay_ms=150),
        "dark": Behaviour(temporary_pct=100, faulty_askings=1_000),
    }
    with Simulator.start(tmp_path_factory.mktemp("payees"), payees) as running:
        yield running


class Endpoint:
    """`kassa partner serve` in a process of its own, on a port it keeps."""

    def __init__(self, stack: Stack) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._stack = stack
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._stack.directory / "run" / "partner.log"

    def start(self) -> None:
        command = [sys.executable, "-m", "console", "partner", "serve", "--port", str(self.port), "--pay-within", "5"]
        env = {"KASSA_DIR": str(self._stack.directory), "KASSA_HTTP": "127.0.0.1:0"}
        self._process = spawn(command, log=self.log, env=env)
        eventually(lambda: self._process is not None and (self._answers() or self._process.poll() is not None))
        assert self._process.poll() is None, self.log.read_text()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def url(self, payee: str) -> str:
        return f"http://127.0.0.1:{self.port}/osmp/{payee}"

    def ask(self, payee: str, password: str = PASSWORD, **params: object) -> httpx.Response:
        return httpx.get(self.url(payee), params=dict(params), auth=("anna", password), timeout=30)

    def pay(self, payee: str, txn: int, sum: str = "95.00", **more: object) -> Element:
        params = {"command": "pay", "txn_id": txn, "account": "9161234567", "sum": sum, "txn_date": "20261123100507"}
        return read(self.ask(payee, **params | more))


def read(answer: httpx.Response) -> Element:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8"), answer.text
    return fromstring(answer.content)


def result(root: Element) -> int:
    return int(root.findtext("result") or "-1")


@pytest.fixture(scope="module")
def started() -> Iterator[list[Endpoint]]:
    """The endpoint, once the network is there."""
    endpoints: list[Endpoint] = []
    yield endpoints
    for endpoint in endpoints:
        endpoint.kill()


@pytest.fixture
def network(
    kassa: Kassa, stack: Stack, simulator: Simulator, started: list[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> Kassa:
    """Agent P, whose terminal is partner anna's; agent T, whose terminal pays payee `via` through anna's endpoint."""
    monkeypatch.setenv("KASSA_DIR", str(stack.directory))
    if started:
        return kassa
    endpoint = Endpoint(stack)
    secret = stack.directory / "keys" / "gateways" / "anna"
    secret.parent.mkdir(mode=0o700, exist_ok=True)
    secret.write_text(f"anna:{PASSWORD}\n")
    secret.chmod(0o600)
    field = ("--field", "phone:[0-9]{10}:Phone", "--min", "1.00", "--max", "15000")
    retry = ("--retry-interval-ms", "200")
    for command in (
        *(("agent", "open", name, "--name", name) for name in ("P", "T")),
        *(("agent", "deposit", name, "100000.00", "--document", "bank 17") for name in ("P", "T")),
        *(("gateway", "add", name, "--url", simulator.url_of(name), *retry) for name in ("mobile", "slow", "dark")),
        ("gateway", "add", "via", "--url", endpoint.url("slow"), "--credentials", "anna", *retry),
        *(("payee", "add", name, "--gateway", name, *field, "--skip-check") for name in ("slow", "dark")),
        *(("payee", "add", name, "--gateway", name, *field) for name in ("mobile", "via")),
        *(("terminal", "enroll", name, "--agent", agent) for name, agent in (("p1", "P"), ("k1", "T"))),
    ):
        shown = kassa(*command)
        assert shown.code == 0, shown
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    shown = kassa("partner", "add", "anna", "--terminal", "p1", "--allow", "127.0.0.0/8", "--password-stdin")
    assert (shown.code, PASSWORD in shown.out) == (0, False), shown
    endpoint.start()
    started.append(endpoint)
    return kassa


@pytest.fixture
def endpoint(network: Kassa, started: list[Endpoint]) -> Endpoint:
    return started[0]


def balance(network: Kassa, agent: str) -> int:
    return int(json.loads(network("agent", "show", agent, "--json").out)["balance"])


def test_a_partner_checks_and_pays_and_a_repeat_is_the_stored_outcome(network: Kassa, endpoint: Endpoint) -> None:
    before = balance(network, "P")
    question = {"command": "check", "txn_id": 1, "account": "9161234567", "sum": "95.00"}
    eventually(lambda: result(read(endpoint.ask("mobile", **question))) == 0)  # 1 and 90 first where all is slow
    assert result(read(endpoint.ask("mobile", command="check", txn_id=1, account="123"))) == 4
    eventually(lambda: result(endpoint.pay("mobile", 1)) == 0)
    first = endpoint.pay("mobile", 1)
    assert (result(first), first.findtext("osmp_txn_id"), first.findtext("sum")) == (0, "1", "95.00")
    again = endpoint.pay("mobile", 1, txn_date="20261124100507")
    assert (result(again), again.findtext("prv_txn")) == (0, first.findtext("prv_txn"))
    assert before - balance(network, "P") == 9_500
    assert network("payment", "show", "p1.1", "--from-ledger").says("POSTED")


@pytest.mark.parametrize(
    ("payee", "changes", "code"),
    [
        ("mobile", {"sum": "96.00"}, 215),  # number 2 is paid with another sum before
        ("mobile", {"txn_id": 3, "account": "123"}, 4),
        ("mobile", {"txn_id": 4, "sum": "20000.00"}, 242),
        ("mobile", {"txn_id": 5, "sum": "95.001"}, 300),
        ("nobody", {"txn_id": 6}, 300),
        ("dark", {"txn_id": 7}, 90),
    ],
)
def test_what_is_not_paid_is_told_by_its_code(
    endpoint: Endpoint, payee: str, changes: dict[str, object], code: int
) -> None:
    if code == 215:
        assert result(endpoint.pay("mobile", 2)) == 0
    assert result(endpoint.pay(payee, 2, **changes)) == code


def test_strangers_are_not_let_in(endpoint: Endpoint) -> None:
    question = {"command": "check", "txn_id": 1, "account": "9161234567"}
    assert endpoint.ask("mobile", "wrong password!", **question).status_code == 401
    assert httpx.get(endpoint.url("mobile"), params=question).status_code == 401
    assert httpx.post(endpoint.url("mobile"), auth=("anna", PASSWORD)).status_code == 405
    assert result(read(endpoint.ask("mobile", x="1" * 40_000))) == 300


def test_who_is_added_is_let_in_and_who_is_removed_is_let_out_while_it_serves(
    network: Kassa, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = {"command": "pay", "txn_id": 1, "account": "9161234567", "sum": "7.00"}

    def by_bob() -> httpx.Response:
        return httpx.get(endpoint.url("mobile"), params=question, auth=("bob", PASSWORD), timeout=30)

    assert network("terminal", "enroll", "p2", "--agent", "P").code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n" * 2))
    assert network("partner", "add", "bob", "--terminal", "p2", "--password-stdin").code == 0
    eventually(lambda: by_bob().status_code == 200)
    eventually(lambda: result(read(by_bob())) == 0)
    shown = network("partner", "add", "bob", "--terminal", "k1", "--password-stdin")
    assert (shown.code, shown.says("partner bob pays as terminal p2", "would be paid again")) == (2, True), shown
    assert network("partner", "remove", "bob").code == 0
    eventually(lambda: by_bob().status_code == 401)


def test_kassa_pays_through_kassa_also_when_the_endpoint_between_dies(
    network: Kassa, endpoint: Endpoint, simulator: Simulator, tmp_path: Path
) -> None:
    """A register of 40 payments to `via`: each is a payment at anna's endpoint, and each of those one at the payee."""
    before = balance(network, "P"), balance(network, "T")
    text = "".join(f"{n};23.11.2026 10:00:00;9161234567;{n}.00\n" for n in range(1, 41))
    (tmp_path / "a.csv").write_text("txn_id;date;subscriber;amount\n" + text)
    command = ["register", "upload", str(tmp_path / "a.csv"), "--terminal", "k1", "--payee", "via", "--wait", "60"]
    env = {"KASSA_DIR": str(endpoint.log.parent.parent)}
    upload = spawn([sys.executable, "-m", "console", *command], log=tmp_path / "log", env=env)
    eventually(lambda: len(simulator.book_of("slow")) >= 5)
    endpoint.kill()
    endpoint.start()
    assert upload.wait(90) == 0, ((tmp_path / "log").read_text(), endpoint.log.read_text())
    book = Counter(paid.sum for paid in simulator.book_of("slow").values())
    assert book == Counter(f"{n}.00" for n in range(1, 41))
    total = 100 * sum(range(1, 41))
    assert (before[0] - balance(network, "P"), before[1] - balance(network, "T")) == (total, total)


def test_many_questions_at_once_are_each_paid_once(endpoint: Endpoint, simulator: Simulator) -> None:
    numbers = range(1_000, 1_030)

    async def storm() -> list[int]:
        async with httpx.AsyncClient(auth=("anna", PASSWORD), timeout=30) as client:
            params = {"command": "pay", "account": "9160000000", "txn_date": "20261123100507", "sum": "7.00"}
            url, asked = endpoint.url("mobile"), [*numbers] * 4
            answers = await asyncio.gather(*(client.get(url, params={**params, "txn_id": n}) for n in asked))
            return [result(read(answer)) for answer in answers]

    assert set(asyncio.run(storm())) <= {0, 1}  # 1: more than it takes at once, to be repeated
    assert [result(endpoint.pay("mobile", n, "7.00", account="9160000000")) for n in numbers] == [0] * len(numbers)
    assert sum(paid.account == "9160000000" for paid in simulator.book_of("mobile").values()) == len(numbers)


def test_it_shows_its_health_and_stops_in_order(network: Kassa, endpoint: Endpoint, stack: Stack) -> None:
    url = (stack.directory / "run" / "partner-1.http").read_text().strip()
    assert [httpx.get(f"{url}/{path}").status_code for path in ("health", "ready")] == [200, 200]
    shown = httpx.get(f"{url}/metrics").text
    assert 'kassa_partner_requests_total{command="pay",partner="anna",result="0"}' in shown
    assert "9161234567" not in endpoint.log.read_text() + shown
    assert endpoint.stop() == 0, endpoint.log.read_text()
    assert network("partner", "list").says("anna", "p1", "127.0.0.0/8")

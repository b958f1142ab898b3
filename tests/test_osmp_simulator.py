"""The simulated payees: the same seed is the same run, and the book can be trusted."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from agents.gateways.simulator import Simulator, SimulatorConfig, SimulatorFailed, main
from agents.gateways.simulator_book import Journal, Paid
from agents.gateways.simulator_faults import Behaviour, Fault
from agents.gateways.simulator_payees import Payees
from agents.gateways.simulator_question import Answer, BadRequest, Question, Said

MIXED = Behaviour(temporary_pct=10, http_500_pct=20, wrong_txn_pct=5.5, decline_pct=25, jitter_ms=50, delay_ms=10)


@pytest.mark.parametrize(
    ("config", "more", "says"),
    [
        (None, (), "No such file or directory: 'payees.json'"),
        ("not JSON", (), "Invalid JSON"),
        ('{"payees": {"book": {}}}', (), "no payee can be called 'book'"),
        ('{"wires": {"own": "no.such:thing"}, "payees": {}}', (), "No module named 'no'"),
        ('{"payees": {}}', ("--port", "99999"), "port must be 0-65535"),
        ('{"payees": {}}', ("--journal", "."), "Is a directory"),
    ],
)
def test_what_it_cannot_serve_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    config: str | None,
    more: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if config is not None:
        Path("payees.json").write_text(config)
    monkeypatch.setattr(sys, "argv", ["simulator", "--config", "payees.json", *more])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n"), says in said) == (2, 1, True), said


def a_question(txn: int = 1, command: str = "pay", account: str = "79160000001", amount: str = "1.00") -> Question:
    return Question("phone", command, txn, account, amount)


def run_of(seed: int, questions: list[Question], behaviour: Behaviour = MIXED) -> dict[Question, object]:
    """What every question meets and is told at its first three askings."""
    payees = Payees({"phone": behaviour}, seed)
    return {
        question: [(payees.meet(question), payees.answer(question, 0), payees.delay_ms(question)) for _ in range(3)]
        for question in questions
    }


def some_questions() -> list[Question]:
    commands = ("check", "pay")
    return [a_question(txn, command, account=f"7916{txn:07}") for txn in range(1, 400) for command in commands]


def test_one_seed_is_one_run_in_whatever_order_it_is_asked() -> None:
    questions = some_questions()
    shuffled = random.Random(1).sample(questions, len(questions))
    assert run_of(7, questions) == run_of(7, shuffled)
    assert run_of(7, questions) != run_of(8, questions)


def test_faults_come_as_often_as_they_are_told_to() -> None:
    payees = Payees({"phone": MIXED}, 3)
    met = Counter(payees.meet(a_question(txn)) for txn in range(10_000))
    shares = {fault: round(times / 10_000 * 100) for fault, times in met.items()}
    expected = {Fault.TEMPORARY: 10, Fault.HTTP_500_BEFORE: 10, Fault.HTTP_500_AFTER: 10, Fault.WRONG_TXN: 5, None: 65}
    assert shares.keys() == expected.keys()
    assert all(abs(shares[fault] - share) <= 2 for fault, share in expected.items())


def test_faults_hit_only_the_first_askings_of_each_question() -> None:
    payees = Payees({"phone": Behaviour(garbage_pct=100, faulty_askings=2)}, 1)
    for command in ("check", "pay"):
        met = [payees.meet(a_question(1, command)) for _ in range(4)]
        assert met == [Fault.GARBAGE, Fault.GARBAGE, None, None]


def test_the_same_subscribers_are_declined_whatever_the_number() -> None:
    payees = Payees({"phone": Behaviour(decline_pct=50, decline={"99": 79})}, 1)
    answers = {
        account: {payees.answer(a_question(txn, "check", str(account)), 0).code for txn in range(5)}
        for account in range(200)
    }
    assert all(len(results) == 1 for results in answers.values())
    assert answers[99] == answers[199] == {79}
    assert 60 < sum(results == {5} for results in answers.values()) < 140


def test_thinking_takes_the_delay_and_at_most_the_jitter() -> None:
    payees = Payees({"phone": MIXED}, 1)
    delays = {payees.delay_ms(a_question(txn)) for txn in range(1_000)}
    assert (min(delays), max(delays)) == (10, 60)


def test_a_known_number_gets_its_first_result_whatever_the_payee_does_now() -> None:
    payees = Payees({"phone": Behaviour()}, 1)
    paid = payees.answer(a_question(1), at=100)
    payees.behave("phone", Behaviour(decline={"1": 5}))
    refused = payees.answer(a_question(2), at=101)
    payees.behave("phone", Behaviour())
    assert [payees.answer(a_question(1), at=200), payees.answer(a_question(2), at=200)] == [paid, refused]
    assert (paid.said, refused) == (Said.OK, Answer(Said.REFUSED, 5))
    assert payees.books["phone"].paid[1].paid_at == 100


@pytest.mark.parametrize("other", [a_question(account="7"), a_question(amount="1.01")])
def test_a_known_number_with_other_parameters_is_refused_and_counted(other: Question) -> None:
    payees = Payees({"phone": Behaviour()}, 1)
    payees.answer(a_question(), 0)
    assert payees.answer(other, 0) == Answer(Said.INCONSISTENT)
    assert payees.books["phone"].inconsistencies == 1
    assert payees.books["phone"].paid[1].account == "79160000001"


@pytest.mark.parametrize(
    ("command", "txn", "account", "amount"),
    [
        ("refund", "1", "7", "1.00"),
        ("pay", "1", "", ""),
        ("status", "1", "7", ""),
        ("pay", "", "7", "1.00"),
        ("pay", "1a", "7", "1.00"),
        ("pay", "9" * 21, "7", "1.00"),
        ("pay", "1", "", "1.00"),
        ("pay", "1", "7", "1,00"),
        ("pay", "1", "7", "-1.00"),
    ],
)
def test_what_is_no_request_is_told_so(command: str, txn: str, account: str, amount: str) -> None:
    with pytest.raises(BadRequest):
        Question.read("phone", command, txn, account, amount)


@pytest.mark.parametrize(
    "wrong", [{"temporary_pct": 101}, {"temporary_pct": 60, "http_500_pct": 60}, {"delay_ms": -1}, {"nonsense": 1}]
)
def test_a_behaviour_nobody_can_have_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Behaviour.model_validate(wrong)


def test_a_payee_cannot_take_a_path_of_the_simulators_own() -> None:
    with pytest.raises(ValidationError, match="path of the simulator"):
        SimulatorConfig(payees={"book": Behaviour()})


def test_a_payee_speaks_a_protocol_there_is(simulator: Simulator) -> None:
    with pytest.raises(ValidationError, match="no simulated payee speaks 'esperanto'"):
        SimulatorConfig(payees={"phone": Behaviour(protocol="esperanto")})
    with pytest.raises(SimulatorFailed, match="422"):
        simulator.behave("phone", Behaviour(protocol="esperanto"))


def test_a_journal_gives_back_what_was_written_but_for_a_line_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "book.journal"
    with Journal(path) as journal:
        payees = Payees({"phone": Behaviour(decline={"5": 5})}, 1, journal)
        payees.answer(a_question(10**19 + 7), at=1)
        payees.answer(a_question(2, account="5"), at=2)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"payee": "phone", "txn": "3", "pa')
    for _ in range(2):
        with Journal(path) as journal:
            again = Payees({"phone": Behaviour()}, 1, journal)
        assert again.books["phone"].paid == payees.books["phone"].paid
        assert again.books["phone"].refused == payees.books["phone"].refused
    assert path.read_bytes() == whole


# --- the process ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("osmp"), {"phone": Behaviour(), "light": Behaviour()}) as running:
        yield running


def ask(url: str, **parameters: object) -> httpx.Response:
    with httpx.Client(trust_env=False, verify=False) as client:
        return client.get(url, params={name: str(value) for name, value in parameters.items()})


def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def is_served(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_book_is_served_in_pages(simulator: Simulator) -> None:
    with httpx.Client(trust_env=False, verify=False) as client:
        for txn in range(1, 26):
            client.get(simulator.url_of("light"), params={"command": "pay", "txn_id": txn, "account": 7, "sum": "0.10"})
        first = client.get(f"{simulator.url}/book/light?limit=20").json()
        last = client.get(f"{simulator.url}/book/light?limit=20&from={first['next']}").json()
        assert client.get(f"{simulator.url}/book/light?limit=0").status_code == 400
    assert (len(first["paid"]), len(last["paid"]), last["next"], last["count"]) == (20, 5, None, 25)
    assert simulator.totals()["light"] == {
        "paid": 25, "sum": "2.50", "refused": 0, "inconsistencies": 0, "cancelled": 0,
    }  # fmt: skip
    book = simulator.book()
    assert list(book["light"]) == list(range(1, 26))
    assert isinstance(book["light"][1], Paid)


def test_a_payee_changes_its_ways_at_run_time(simulator: Simulator) -> None:
    changed = Behaviour(decline={"7": 79}, cp1251=True)
    simulator.behave("phone", changed)
    reply = ask(simulator.url_of("phone"), command="pay", txn_id=1, account=7, sum="1.00")
    assert b"<result>79</result>" in reply.content
    assert "Отказ" in reply.content.decode("cp1251")
    assert reply.headers["content-type"] == "text/xml; charset=windows-1251"
    assert Behaviour.model_validate(ask(f"{simulator.url}/behaviour/phone").json()) == changed


def test_what_it_cannot_serve_it_refuses(simulator: Simulator) -> None:
    assert ask(f"{simulator.url}/nobody/", command="pay").status_code == 404
    assert ask(simulator.url_of("light"), command="pay").status_code == 400
    with pytest.raises(SimulatorFailed, match="422"):
        simulator._call("POST", "/behaviour/phone", '{"temporary_pct": 200}')


def test_it_ends_in_order_when_told_to(tmp_path: Path) -> None:
    running = Simulator.start(tmp_path, {"phone": Behaviour(time_out_after_accept_pct=100)})
    with pytest.raises(httpx.ReadTimeout), httpx.Client(trust_env=False, verify=False, timeout=0.2) as client:
        client.get(running.url_of("phone"), params={"command": "pay", "txn_id": 1, "account": 7, "sum": "1.00"})
    assert list(running.book_of("phone")) == [1]
    running.stop()
    assert running.process.returncode == 0
    assert not is_served(running.port)


def test_a_configuration_it_cannot_use_is_reported(tmp_path: Path) -> None:
    taken = socket.socket()
    with taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SimulatorFailed, match="address already in use"):
            Simulator.start(tmp_path, {"phone": Behaviour()}, port=taken.getsockname()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_it_does_not_outlive_who_started_it(tmp_path: Path) -> None:
    script = (
        "import time; from pathlib import Path; from agents.gateways.simulator import *\n"
        f"started = Simulator.start(Path({str(tmp_path)!r}), {{'phone': Behaviour()}})\n"
        "print(started.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert is_served(port)
        os.kill(parent.pid, signal.SIGKILL)
    until(lambda: not is_served(port))


# --- giving back


def _booked(behaviour: Behaviour, at: int = 1_000) -> Payees:
    payees = Payees({"phone": behaviour}, 1)
    payees.answer(a_question(), at)
    return payees


def test_a_payment_is_given_back_once_and_the_number_is_never_paid_again() -> None:
    payees = _booked(Behaviour())
    answers = [payees.answer(a_question(command="cancel"), at) for at in (2_000, 3_000)]
    assert {answer.said for answer in answers} == {Said.OK}
    assert payees.books["phone"].paid[1].cancelled_at == 2_000
    assert payees.answer(a_question(), 4_000).said is Said.CANCELLED


@pytest.mark.parametrize(
    ("behaviour", "at", "said"),
    [
        (Behaviour(cancels=False), 1_001, Said.NO_CANCELS),
        (Behaviour(cancel_within_ms=500), 1_500, Said.OK),
        (Behaviour(cancel_within_ms=500), 1_501, Said.TOO_LATE),
        (Behaviour(keep_pct=100), 1_001, Said.KEPT),
    ],
)
def test_a_payee_keeps_what_it_is_told_to_keep(behaviour: Behaviour, at: int, said: Said) -> None:
    payees = _booked(behaviour)
    assert payees.answer(a_question(command="cancel"), at).said is said
    assert bool(payees.books["phone"].paid[1].cancelled_at) == (said is Said.OK)


def test_what_was_never_paid_or_was_refused_is_not_given_back() -> None:
    payees = Payees({"phone": Behaviour(decline={"1": 5})}, 1)
    payees.answer(a_question(), 0)
    assert {payees.answer(a_question(txn, "cancel"), 0) for txn in (1, 2)} == {Answer(Said.NOT_PAID)}


def test_a_cancellation_outlives_a_kill(tmp_path: Path) -> None:
    with Journal(tmp_path / "book") as journal:
        payees = Payees({"phone": Behaviour()}, 1, journal)
        payees.answer(a_question(), 1)
        payees.answer(a_question(command="cancel"), 2)
    with Journal(tmp_path / "book") as journal:
        assert Payees({"phone": Behaviour()}, 1, journal).books["phone"].paid[1].cancelled_at == 2


# --- a payment's status, and a day's statement


def test_a_status_tells_what_became_of_a_number_and_changes_nothing() -> None:
    payees = Payees({"phone": Behaviour(decline={"5": 5})}, 1)
    status = [Question("phone", "status", txn) for txn in (1, 2, 3)]
    assert payees.answer(status[0], 0).said is Said.ABSENT
    payees.answer(a_question(1), at=1)
    payees.answer(a_question(2, account="5"), at=1)
    payees.answer(a_question(3), at=1)
    payees.answer(a_question(3, "cancel"), at=2)
    answers = [payees.answer(question, 3) for question in status]
    assert [answer.said for answer in answers] == [Said.OK, Said.REFUSED, Said.CANCELLED]
    assert answers[1].code == 5
    assert payees.books["phone"].inconsistencies == 0


def test_a_statement_has_what_was_booked_in_its_time() -> None:
    payees = Payees({"phone": Behaviour()}, 1)
    for txn in range(1, 6):
        payees.answer(a_question(txn), at=txn * 100)
    payees.answer(a_question(3, "cancel"), at=900)
    lines = payees.answer(Question("phone", "statement", 0, since=200, until=400), 1_000).lines
    assert [(txn, paid.paid_at, paid.cancelled_at) for txn, paid in lines] == [(2, 200, 0), (3, 300, 900)]

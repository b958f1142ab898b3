"""A payee's list from file to payer and back, on a real stack: loaded whole, asked, paid down, written back."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.gateways.simulator import Simulator
from agents.gateways.simulator_faults import Behaviour
from console.stack import Stack
from schemas.entry import Entry
from streams.compacted import read_all, read_to_end
from streams.subscriber_lists import Upload
from streams.taken import Standing, standing_of
from streams.topics import LEDGER, SUBSCRIBERS
from tests.builders_subscribers import a_row
from tests.cli_runs import Kassa, Shown, eventually

pytest_plugins = ["tests.cli_fixtures"]
pytestmark = [pytest.mark.integration, pytest.mark.long]

IVAN, OLGA, PETR = "9160000001", "9160000002", "9160000003"
LIST = f"number;name;debt;address\n{IVAN};Ivan;100.00;Lenina 5\n{OLGA};Olga;-3.50;\n{PETR};Petr;;\n"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("payees"), {"city": Behaviour()}) as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), sink=False) as running:
        running.wait_ready()
        yield running


@pytest.fixture
def network(kassa: Kassa, stack: Stack, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Kassa:
    """Payee city, whose subscribers are in its list, and agent shop with terminal k1."""
    monkeypatch.setenv("KASSA_DIR", str(stack.directory))
    city = ("--field", "phone:[0-9]{10}:Phone", "--max", "15000", "--reversal-s", "3600", "--checked-at", "subscribers")
    done = [
        kassa("gateway", "add", "city", "--url", simulator.url_of("city"), "--cancels", "--id", "gateway"),
        kassa("payee", "add", "city", "--gateway", "city", *city, "--id", "payee"),
        kassa("agent", "open", "shop", "--id", "open"),
        kassa("agent", "deposit", "shop", "1000.00", "--document", "17", "--id", "deposit"),
        kassa("terminal", "enroll", "k1", "--agent", "shop", "--id", "enroll"),
    ]
    assert [shown.code for shown in done] == [0] * len(done), done
    return kassa


def loaded(network: Kassa, place: Path, text: str, *more: str) -> Shown:
    file = place / "list.csv"
    file.write_text(text, encoding="utf-8")
    return network("subscribers", "load", "city", str(file), *more)


def answer(network: Kassa, number: str) -> dict[str, object]:
    shown = network("check", "--terminal", "k1", "--payee", "city", "--to", number, "--json")
    found: dict[str, object] = json.loads(shown.out)
    return found


def told(network: Kassa, number: str, name: str, debt: int | None) -> None:
    """Wait until a check tells this: workers read lists and ledger on their own."""
    eventually(lambda: (lambda said: (said["name"], said["debt"]) == (name, debt))(answer(network, number)), 30)


def paid(network: Kassa, number: str, amount: str, *more: str) -> Shown:
    return network("pay", "--terminal", "k1", "--payee", "city", "--to", number, "--amount", amount, *more)


def exported(network: Kassa, place: Path, *more: str) -> dict[str, dict[str, str]]:
    """The file written back, by number."""
    shown = network("subscribers", "export", "city", str(place / "back.csv"), *more)
    assert shown.code == 0, shown
    with (place / "back.csv").open(encoding="utf-8", newline="") as file:
        return {row["number"]: row for row in csv.DictReader(file, delimiter=";")}


def test_before_there_is_a_list_nobody_can_be_looked_up_and_nothing_is_guessed(network: Kassa) -> None:
    assert (answer(network, IVAN)["code"], answer(network, IVAN)["retryable"]) == (1, True)
    assert network("subscribers", "export", "city", "x.csv").says("payee 'city' has no list")
    assert network("subscribers", "load", "nobody", "x.csv").says("there is no payee 'nobody'")


def test_a_list_is_loaded_and_a_debtor_is_shown_name_and_debt(network: Kassa, tmp_path: Path) -> None:
    shown = loaded(network, tmp_path, LIST)
    assert (shown.code, shown.says("list of payee city is in force: 3 subscribers of list.csv")) == (0, True), shown
    told(network, IVAN, "Ivan", 10_000)
    asked = ("pay", "--terminal", "k1", "--payee", "city", "--to", IVAN, "--amount", "1.00", "--check")
    shown = network(*asked)
    assert shown.says("the payee's list of subscribers", "name        Ivan", "debt        100.00 RUB", "Lenina 5"), (
        shown
    )
    told(network, OLGA, "Olga", -350)
    told(network, PETR, "Petr", None)
    assert (answer(network, "9169999999")["code"], answer(network, "9169999999")["reason"]) == (
        5, "not in the payee's list",
    )  # fmt: skip
    assert network("subscribers", "list").says("city", "3", "list.csv")


def test_what_is_paid_makes_the_debt_smaller_and_what_is_given_back_makes_it_larger(
    network: Kassa, tmp_path: Path, simulator: Simulator
) -> None:
    assert paid(network, IVAN, "30.00", "--number", "1").code == 0
    told(network, IVAN, "Ivan", 7_000)
    assert paid(network, OLGA, "2.50", "--number", "2").code == 0
    told(network, OLGA, "Olga", -600)
    assert simulator.totals()["city"]["paid"] == 2
    why = ("--reason", "wrong number", "--evidence", "receipt", "--yes")
    assert network("payment", "reverse", "k1.2", *why).code == 0
    told(network, OLGA, "Olga", -350)


def test_dispatch_looks_in_the_list_and_who_is_not_in_it_is_not_paid(network: Kassa, simulator: Simulator) -> None:
    before = simulator.totals()["city"]
    shown = paid(network, "9169999999", "5.00", "--number", "3")
    assert (shown.code, shown.says("VOIDED", "code 5", "not in the payee's list")) == (1, True), shown
    assert simulator.totals()["city"] == before


def test_the_list_is_written_back_with_what_was_paid_and_agrees_with_the_ledger(
    network: Kassa, tmp_path: Path, stack: Stack
) -> None:
    back = exported(network, tmp_path)
    assert back[IVAN] == {
        "number": IVAN, "name": "Ivan", "debt": "100.00", "address": "Lenina 5", "paid": "30.00", "under_way": "0.00",
        "remaining": "70.00",
    }  # fmt: skip
    assert (back[OLGA]["paid"], back[OLGA]["remaining"]) == ("0.00", "-3.50")
    assert (back[PETR]["debt"], back[PETR]["remaining"]) == ("", "")
    last = {}
    for message in read_to_end(stack.settings, LEDGER):
        entry = Entry.decode(message.value() or b"")
        if entry.payment is not None:
            last[entry.payment.id] = (entry.payment.amount, standing_of(entry.kind))
    posted = sum(amount for amount, standing in last.values() if standing is Standing.PAID)
    assert sum(int(row["paid"].replace(".", "")) for row in back.values()) == posted == 3_000
    for kind in ("xlsx", "dbf"):
        shown = network("subscribers", "export", "city", str(tmp_path / f"back.{kind}"), "--format", kind)
        assert shown.says("3 subscribers", "1 paid 30.00 RUB since"), shown


def test_a_file_with_a_bad_row_changes_nothing_and_says_which(network: Kassa, tmp_path: Path, stack: Stack) -> None:
    before = read_all(stack.settings, SUBSCRIBERS)
    shown = loaded(network, tmp_path, f"number;debt\n{IVAN};1.00\n12;1.00\n{PETR};much\n")
    assert shown.code == 2
    assert shown.says(
        "line 3, column number: does not have the payee's format", "line 4, column debt: is no amount in RUB",
        "has 2 errors: nothing was loaded",
    ), shown  # fmt: skip
    assert loaded(network, tmp_path, "number;debt\n").says("there are no rows")
    assert read_all(stack.settings, SUBSCRIBERS) == before
    told(network, IVAN, "Ivan", 7_000)


def test_an_upload_that_ends_half_way_is_as_if_it_had_not_begun(network: Kassa, stack: Stack) -> None:
    before = read_all(stack.settings, SUBSCRIBERS)
    with Upload(stack.settings, "city", "HALF") as upload:
        upload.add(a_row(IVAN, name="Nobody"))
        upload.finished("half.csv")
    assert read_all(stack.settings, SUBSCRIBERS) == before
    told(network, IVAN, "Ivan", 7_000)


def test_a_new_list_replaces_the_old_one_whole_and_begins_to_count_anew(
    network: Kassa, tmp_path: Path, stack: Stack
) -> None:
    assert loaded(network, tmp_path, f"number;name;debt\n{IVAN};Ivan Petrov;55.00\n").code == 0
    told(network, IVAN, "Ivan Petrov", 5_500)
    assert answer(network, OLGA)["code"] == 5
    assert len(read_all(stack.settings, SUBSCRIBERS)) == 1
    assert len(list((stack.directory / "subscribers").glob("city.*.sqlite"))) == 1
    assert exported(network, tmp_path)[IVAN]["paid"] == "0.00"


def test_as_of_an_earlier_moment_the_payments_since_then_count(network: Kassa, tmp_path: Path) -> None:
    as_of = ("--as-of", "2020-01-01T00:00:00+0300")
    assert loaded(network, tmp_path, f"number;name;debt\n{IVAN};Ivan;100.00\n", *as_of).code == 0
    told(network, IVAN, "Ivan", 7_000)
    later = ("--as-of", "2120-01-01T00:00:00+0300")
    shown = loaded(network, tmp_path, f"number;debt\n{IVAN};1.00\n", *later)
    assert (shown.code, shown.says("as of a time to come")) == (1, True), shown
    told(network, IVAN, "Ivan", 7_000)


def test_a_worker_that_was_killed_knows_list_and_payments_again(network: Kassa, stack: Stack) -> None:
    files = {path: path.stat().st_ino for path in (stack.directory / "subscribers").glob("city.*.sqlite")}
    stack.kill("worker-1")
    stack.revive("worker-1")
    stack.wait_ready()
    assert paid(network, IVAN, "20.00", "--number", "9").code == 0
    told(network, IVAN, "Ivan", 5_000)
    assert {path: path.stat().st_ino for path in (stack.directory / "subscribers").glob("city.*.sqlite")} == files

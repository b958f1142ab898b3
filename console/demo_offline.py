"""At the counter, a payee that is nobody's to ask: its list tells who owes what, a registry tells it who paid."""

from __future__ import annotations

import csv
import time
from datetime import UTC, datetime
from pathlib import Path

from console.check_client import CheckClient
from console.client import Client
from console.demo_counter import RICH, TREE, Counter, CounterFailed, cashier
from console.demo_network import CURRENCY
from console.output import major, rows, say
from console.registry_answers import commands, read_answers
from console.requests import check_request, command_request, payment_request
from console.subscribers import load_list
from schemas.command import SetPayee
from schemas.offline import FileDrop, OfflineTerms
from schemas.payee import Payee, SubscriberField
from schemas.payment import PaymentOrder
from schemas.registry_command import CutRegistry
from schemas.reply import Reply
from schemas.tracking import CheckReply, CheckRequest
from sinks.registries.day import RegistryError
from sinks.registries.numbered import NumberedRegistry, find_registry, lines_of
from sinks.warehouse import open_warehouse
from streams.keyring import ensure_terminal_key, load_operator_key
from streams.settings import Settings

HEATING = "heating"
_FIRST = 2_001  # of the cashier's numbers, beyond those of the other payments at the counter
_LIST = (
    ("number", "name", "debt", "address"),
    ("10000001", "A. Smirnova", "1250.00", "12 Lake Street"),
    ("10000002", "B. Orlov", "430.50", "3 Mill Lane"),
    ("10000003", "C. Belova", "0.00", "7 Mill Lane"),
)
_WAIT_S = 60.0


def heating_at_the_counter(settings: Settings) -> None:
    """Raises CounterFailed where something does not become what it must."""
    directory = settings.dir / "heating"
    directory.mkdir(parents=True, exist_ok=True)
    with Client(settings, ["root", cashier(RICH)]) as client:
        counter = Counter(settings, client, load_operator_key(settings, "root"), name="heating")
        counter.order("", SetPayee, payee=_payee())
        load_list(settings, HEATING, _written(directory / "subscribers.csv", _LIST))
        _ask_both(settings)
        taken = _paid(counter, "1250.00 for heating", _FIRST, "10000001", 125_000)
        stranger = _paid(counter, "100.00 for what is closed", _FIRST + 1, "10000003", 10_000)
        counter.order("its registry is cut", CutRegistry, payee=HEATING, number=1)
        registry = _delivered(settings, 1)
        answer = directory / "answer.csv"
        _written(answer, (
            ("txn_id", "amount", "answer", "reason"),
            (taken.txn, "1250.00", "accepted", ""),
            (stranger.txn, "100.00", "rejected", "the contract has ended"),
        ))  # fmt: skip
        _answer(counter, registry, answer)
        counter.told("the line it accepted", taken.id, "POSTED")
        counter.told("the line it rejected", stranger.id, "VOIDED")
    rows(("served by registry", "id", "amount", "became"), counter.shown, right=("amount",))
    say(f"registry 1 went to {settings.dir / 'registries' / HEATING}, the answer came as {answer}")
    say("")


def _payee() -> Payee:
    return Payee(
        id=HEATING, name="Heating", gateway="none", currency=CURRENCY,
        fields=(SubscriberField(name="account", title="Contract", pattern=r"\d{8}"),), max_amount=1_500_000,
        served="offline", checked_at="subscribers",
        offline=OfflineTerms(cut_off="0 0 * * *", form="tsv", delivery=FileDrop(directory=HEATING)),
    )  # fmt: skip


def _ask_both(settings: Settings) -> None:
    """Who owes what: one payee says it itself, of the other its list does. Nothing is paid."""
    with CheckClient(settings, [cashier(RICH)]) as client:
        found = [
            (*_told(client, settings, payee, number), source)
            for payee, number, source in (
                ("mobile", "9161234567", "the payee itself"), (HEATING, "10000001", "its list of subscribers"),
            )
        ]  # fmt: skip
    rows(("asked before payment", "name", "owes", "asked"), found, right=("owes",))
    say("")


def _told(client: CheckClient, settings: Settings, payee: str, number: str) -> tuple[str, str, str]:
    """A list is in force as soon as a worker has it, so the question is put again until it is."""
    terminal, reply = cashier(RICH), None
    key, deadline = ensure_terminal_key(settings, terminal), time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        check = CheckRequest(
            id=f"{terminal}.check.{time.monotonic_ns()}", terminal=terminal, agent=RICH, payee=payee,
            subscriber={"account": number}, made_at=datetime.now(UTC),
        )  # fmt: skip
        reply, _ = client.ask(check_request(check, TREE, key))
        if not reply.code and reply.debt is not None:
            return f"{payee} {number}", reply.name, major(reply.debt, CURRENCY)
        time.sleep(0.1)
    raise CounterFailed(f"{payee} was asked about {number}, and the answer is {_words(reply)}")


def _words(reply: CheckReply | None) -> str:
    return f"code {reply.code} {reply.reason}, debt {reply.debt}" if reply is not None else "none"


def _paid(counter: Counter, what: str, number: int, account: str, amount: int) -> Reply:
    terminal = cashier(RICH)
    order = PaymentOrder(
        id=f"{terminal}.{number}", terminal=terminal, number=number, agent=RICH, payee=HEATING,
        subscriber={"account": account}, amount=amount, currency=CURRENCY, made_at=datetime.now(UTC),
    )  # fmt: skip
    key = ensure_terminal_key(counter.settings, terminal)
    return counter.asked(what, amount, payment_request(order, TREE, key), "QUEUED")


def _delivered(settings: Settings, number: int) -> NumberedRegistry:
    """The registry once its courier has brought it. Raises CounterFailed when it does not come."""
    deadline = time.monotonic() + _WAIT_S
    with open_warehouse(settings) as client:
        while time.monotonic() < deadline:
            try:
                registry = find_registry(client, HEATING, number)
                if registry.delivered_at:
                    return registry
            except RegistryError:
                pass  # the sink has not come to it yet
            time.sleep(0.1)
    raise CounterFailed(f"registry {number} of {HEATING} was not delivered in {_WAIT_S:g} s")


def _answer(counter: Counter, registry: NumberedRegistry, file: Path) -> None:
    with open_warehouse(counter.settings) as client:
        answers = read_answers(file, registry, lines_of(client, registry))
    for command in commands(registry, answers, datetime.now(UTC)):
        counter.asked("the payee answers, line by line", 0, command_request(command, counter.operator), "DONE")


def _written(path: Path, lines: tuple[tuple[object, ...], ...]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows(lines)
    return path

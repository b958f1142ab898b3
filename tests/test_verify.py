"""Whatever bytes arrive, verification answers with an item: to decide, to re-key, or to keep in quarantine and why."""

from __future__ import annotations

import string
from dataclasses import replace
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.verify import Verifier
from schemas.envelope import SigningKey, VerifyingKey
from schemas.ids import ms_instant
from schemas.keys import SERVER_KID
from schemas.payee import Payee
from schemas.reject import RejectReason
from schemas.terminal import Operator, Terminal
from streams.arrival import Arrival, Ask, Forward, Item, Quarantine
from streams.directory import Directory
from streams.ledger.clearing import called_for
from streams.ledger.commands import Instruct, Reversible
from streams.ledger.decide import decide
from streams.ledger.evolve import evolve
from streams.outbox import Outbox
from streams.partitioner import partition_of
from streams.settings import Settings
from tests.builders import (
    AT,
    a_deposit,
    a_gateway,
    a_payee,
    a_tariff,
    a_tree,
    an_order,
    open_agent,
    set_gateway,
    set_payee,
    set_tariff,
    set_terminal,
)
from tests.builders_change import CODE
from tests.builders_clearing import a_transfer_to, bring, two_trees
from tests.builders_correction import a_correction
from tests.builders_reversal import a_reversal

PARTITION = partition_of("A", 4)
DEEP = 900


@cache
def keys() -> dict[str, SigningKey]:
    made = [SigningKey.generate("kiosk-1:1"), SigningKey.generate("kiosk-2:1", "ES256"), SigningKey.generate("root:1")]
    made.append(SigningKey.generate(SERVER_KID))
    return {key.kid: key for key in made} | {"forged:1": SigningKey.generate(SERVER_KID)}


@cache
def verifier() -> Verifier:
    return Verifier(Settings(partitions=4), a_directory())


def a_directory() -> Directory:
    """Terminals kiosk-1 (EdDSA) and kiosk-2 (ES256), payee mobile, operator root."""
    directory = Directory()
    for name in ("kiosk-1", "kiosk-2"):
        terminal = Terminal(id=name, agent="S", tree="A", keys=(keys()[f"{name}:1"].public(),))
        directory.apply("terminals", name, terminal.model_dump_json().encode())
    directory.apply(
        "operators", "root", Operator(id="root", keys=(keys()["root:1"].public(),)).model_dump_json().encode()
    )
    directory.apply("payees", "mobile", a_payee().model_dump_json().encode())
    directory.apply("tariffs", "mobile", a_tariff().model_dump_json().encode())
    return directory


def verified(topic: str, value: bytes, key: bytes | None = b"A") -> Item:
    """What becomes of it where it belongs; every other partition sends it there."""
    arrival = Arrival(topic, PARTITION, 7, key, value, AT)
    item = verifier().payment(arrival) if topic == "payments" else verifier().command(arrival)
    if isinstance(item, Forward):
        arrival = replace(arrival, partition=partition_of(item.key, 4))
        item = verifier().payment(arrival) if topic == "payments" else verifier().command(arrival)
    assert isinstance(item, Ask | Quarantine)
    if isinstance(item, Quarantine):
        assert item.reason is not RejectReason.UNPROCESSABLE, "nobody foresaw this one"
        assert item.arrival is arrival
        Outbox(a_tree()).quarantine(item)  # and it can be written
    else:
        work_out(item)
    return item


def work_out(ask: Ask) -> None:
    """Decide it, and write what comes of it."""
    state = a_tree()
    decision, outbox = decide(state, ask.command, AT), Outbox(state)
    for entry in decision if isinstance(decision, list) else ():
        evolve(state, entry)
        outbox.entry(entry)
    outbox.close()


def a_message(kid: str = "kiosk-1:1", **changes: Any) -> bytes:
    order = orjson.loads(an_order(terminal=kid.partition(":")[0]).model_dump_json())
    return keys()[kid].sign(orjson.dumps(order | changes))


@pytest.mark.parametrize("kid", ["kiosk-1:1", "kiosk-2:1"])
def test_a_good_message_is_to_be_decided(kid: str) -> None:
    assert isinstance(verified("payments", a_message(kid)), Ask)


def by_the_workers(kid: str, payload: bytes, server: VerifyingKey | None) -> Item:
    """What becomes of a command on the partition of tree B, signed by a key with this id."""
    partition = partition_of("B", 4)
    arrival = Arrival("commands", partition, 7, b"B", keys()[kid].sign(payload), AT + 40 * 86_400_000)
    return Verifier(Settings(partitions=4), a_directory(), server).command(arrival)


def what_a_tree_says(**changes: Any) -> bytes:
    sent = two_trees().one(a_transfer_to())
    command = called_for(sent)
    assert command is not None
    return command.model_copy(update=changes).model_dump_json().encode()


def test_what_a_tree_says_to_another_is_believed_of_the_workers_key_however_old_it_is() -> None:
    item = by_the_workers(SERVER_KID, what_a_tree_says(), VerifyingKey.load(keys()[SERVER_KID].public()))
    assert isinstance(item, Ask)
    assert isinstance(item.command, Instruct)
    assert (item.command.book, item.command.by) == ("B", SERVER_KID)


@pytest.mark.parametrize(
    ("kid", "payload", "reason"),
    [
        ("root:1", what_a_tree_says(issued_at=ms_instant(AT + 40 * 86_400_000)), RejectReason.WRONG_SIGNER),
        (SERVER_KID, a_deposit("Y", 1, "B").command.model_dump_json().encode(), RejectReason.WRONG_SIGNER),
        ("forged:1", what_a_tree_says(), RejectReason.BAD_SIGNATURE),
        (
            "root:1",
            a_deposit(
                "Y", 1, "B", id="clearing.A.4", issued_at=ms_instant(AT + 40 * 86_400_000)
            ).command.model_dump_json().encode(),
            RejectReason.WRONG_SIGNER,
        ),
    ],
    ids=["an operator says it", "the workers order something else", "a forgery", "an operator takes its id"],
)  # fmt: skip
def test_nobody_else_says_it_and_nothing_else_is_believed_of_it(
    kid: str, payload: bytes, reason: RejectReason
) -> None:  # fmt: skip
    item = by_the_workers(kid, payload, VerifyingKey.load(keys()[SERVER_KID].public()))
    assert isinstance(item, Quarantine)
    assert item.reason is reason


def test_an_operator_with_the_workers_name_is_not_the_workers() -> None:
    directory = a_directory()
    record = Operator(id="server", keys=(keys()["root:1"].public().model_copy(update={"kid": SERVER_KID}),))
    directory.apply("operators", "server", record.model_dump_json().encode())
    arrival = Arrival("commands", partition_of("B", 4), 7, b"B", keys()[SERVER_KID].sign(what_a_tree_says()), AT)
    item = Verifier(Settings(partitions=4), directory).command(arrival)
    assert isinstance(item, Quarantine)
    assert item.reason is RejectReason.UNKNOWN_KEY


def ordered(kid: str, to_tree: str, command: Instruct | None = None) -> Item:
    """What becomes of an order to bring change of tree B to another, signed by a key with this id."""
    order = (command or bring(CODE, 500, "B", to_tree)).command
    partition = partition_of("B", 4)
    arrival = Arrival("commands", partition, 7, b"B", keys()[kid].sign(order.model_dump_json().encode()), AT)
    return verifier().command(arrival)


def test_a_terminal_orders_change_brought_to_its_own_tree_and_so_does_an_operator() -> None:
    for kid, to_tree in ("kiosk-1:1", "A"), ("kiosk-2:1", "A"), ("root:1", "Z"):
        item = ordered(kid, to_tree)
        assert isinstance(item, Ask), item
        assert isinstance(item.command, Instruct)
        assert (item.command.by, item.command.book) == (kid, "B")


def test_a_terminal_orders_nothing_else_and_for_no_other_tree() -> None:
    for item, reason, words in (
        (ordered("kiosk-1:1", "C"), RejectReason.WRONG_AGENT, "terminal kiosk-1 is in tree A, not in C"),
        (
            ordered("kiosk-1:1", "", a_deposit("Y", 1, "B")),
            RejectReason.UNKNOWN_KEY,
            "kiosk-1 is no operator, and only one orders agent.deposit",
        ),
    ):
        assert isinstance(item, Quarantine)
        assert (item.reason, item.detail) == (reason, words)


topics = st.sampled_from(["payments", "commands"])
kids = st.sampled_from(["kiosk-1:1", "kiosk-2:1", "root:1"])


@given(topic=topics, value=st.one_of(st.binary(max_size=400), st.text(string.printable).map(str.encode)))
def test_arbitrary_bytes(topic: str, value: bytes) -> None:
    assert isinstance(verified(topic, value), Quarantine)


@given(topic=topics, kid=kids, data=st.data())
def test_good_messages_with_some_bytes_changed(topic: str, kid: str, data: st.DataObject) -> None:
    value = bytearray(a_message("kiosk-1:1") if kid == "root:1" else a_message(kid))
    for place in data.draw(st.lists(st.integers(0, len(value) - 1), min_size=1, max_size=4)):
        value[place] = data.draw(st.one_of(st.sampled_from(b"._-A="), st.integers(0, 255)))
    cut = data.draw(st.integers(0, len(value)))
    for one in (bytes(value), bytes(value[:cut]), bytes(value[cut:])):
        verified(topic, one)


@given(topic=topics, kid=kids, payload=st.binary(max_size=300))
def test_anything_at_all_with_a_good_signature(topic: str, kid: str, payload: bytes) -> None:
    verified(topic, keys()[kid].sign(payload or b"0"))


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=20),
        st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**15, 10**18, "", "\x00", "А", "😀", "1", "1e400"]),
        st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00Z", "12"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
COMMANDS = [
    one.command.model_dump(mode="json")
    for one in (open_agent(), a_deposit(), set_payee(), set_tariff(), set_gateway(), set_terminal())
]
ORDER = an_order().model_dump(mode="json")


def places(document: Any) -> list[list[Any]]:
    """The path to every value in a JSON document."""
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [[], *([key, *path] for key, value in parts for path in places(value))]


def replaced(document: Any, path: list[Any], value: Any) -> Any:
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy


@given(document=st.sampled_from([ORDER, *COMMANDS]), value=json_values, data=st.data())
def test_good_documents_with_one_value_replaced(document: dict[str, Any], value: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(places(document)))
    topic, kid = ("payments", "kiosk-1:1") if document is ORDER else ("commands", "root:1")
    try:
        payload = orjson.dumps(replaced(document, path, value))
    except TypeError:
        return  # no JSON of it: an integer that only Python has
    verified(topic, keys()[kid].sign(payload))


@pytest.mark.parametrize(
    "value",
    [
        "[" * DEEP + "]" * DEEP,
        '{"a":' * DEEP + "1" + "}" * DEEP,
        "[" * 9_000,
        "1" * 5_000,
        "-" + "9" * 5_000,
        "1e999999",
        "-0",
        "18446744073709551616",
        "1180591620717411303424",
        "NaN",
        r'"\ud800"',
        r'"\udfff\ud800"',
        '"\x00"',
        r'"\u0000"',
        '"' + "x" * 8_000 + '"',
        '"2026-01-01T00:00:00+99:99"',
        '"-9999999999-01-01T00:00:00Z"',
        "253402300800000",
        "-1e30",
    ],
    ids=lambda value: f"{value[:30]} ({len(value)})",
)
def test_json_at_its_worst_in_every_place(value: str) -> None:
    for topic, kid, document in [("payments", "kiosk-1:1", ORDER), *(("commands", "root:1", one) for one in COMMANDS)]:
        for path in places(document):
            text = orjson.dumps(replaced(document, path, "@HERE@")).decode().replace('"@HERE@"', value)
            verified(topic, keys()[kid].sign(text.encode()))
        name = orjson.dumps(document).decode()[:-1] + "," + (value if value[0] == '"' else f'"{value[:50]}"') + ":1}"
        verified(topic, keys()[kid].sign(name.encode(errors="surrogatepass")))


def test_what_nobody_foresaw_is_kept_in_quarantine_and_the_next_message_is_read() -> None:
    directory = a_directory()
    del directory.terminals["kiosk-1"]  # its keys are still there: a directory at odds with itself
    broken = Verifier(Settings(partitions=4), directory)
    item = broken.payment(Arrival("payments", PARTITION, 7, b"A", a_message(), AT))
    assert isinstance(item, Quarantine)
    assert (item.reason, item.signer, item.message_id) == (RejectReason.UNPROCESSABLE, "kiosk-1:1", "kiosk-1.1")
    assert item.detail.startswith("KeyError at verify.py:")
    assert isinstance(broken.payment(Arrival("payments", PARTITION, 8, b"A", a_message("kiosk-2:1"), AT)), Ask)


def test_a_payee_with_a_pattern_that_would_stall_the_worker_is_not_taken() -> None:
    payee = orjson.dumps({**a_payee().model_dump(mode="json"), "id": "slow"}).replace(rb"\\d{10}", b"(a+)+")
    command = {**set_payee().command.model_dump(mode="json"), "payee": orjson.loads(payee)}
    item = verified("commands", keys()["root:1"].sign(orjson.dumps(command)), b"payees/slow")
    assert isinstance(item, Quarantine)
    assert item.reason is RejectReason.BAD_SCHEMA
    assert "in more than 5,000 ways" in item.detail
    with pytest.raises(ValueError, match="ways"):
        a_directory().apply("payees", "slow", payee)
    assert Payee.model_validate_json(payee.replace(b"(a+)+", b"a+")).id == "slow"


# --- commands that a terminal may sign


def a_command(command: Instruct, kid: str = "kiosk-1:1") -> Item:
    """What becomes of it when the key with this id signs it."""
    return verified("commands", keys()[kid].sign(orjson.dumps(command.command.model_dump(mode="json"))))


def test_a_terminal_may_order_a_reversal_in_its_own_tree() -> None:
    item = a_command(a_reversal())
    assert isinstance(item, Ask)
    assert isinstance(item.command, Instruct)
    assert (item.command.by, item.command.terminal) == ("kiosk-1:1", "kiosk-1")


def test_a_correction_carries_the_threshold_that_the_worker_is_set_to_and_no_terminal_orders_one() -> None:
    value = keys()["root:1"].sign(orjson.dumps(a_correction().command.model_dump(mode="json")))
    arrival = Arrival("commands", partition_of("A", 4), 7, b"A", value, AT)
    item = Verifier(Settings(partitions=4, four_eyes_above=500), a_directory()).command(arrival)
    assert isinstance(item, Ask)
    assert isinstance(item.command, Instruct)
    assert item.command.four_eyes_above == 500
    refused = a_command(a_correction())
    assert isinstance(refused, Quarantine)
    assert refused.reason is RejectReason.UNKNOWN_KEY


def test_an_operator_s_command_names_no_terminal() -> None:
    item = a_command(a_reversal(), "root:1")
    assert isinstance(item, Ask)
    assert isinstance(item.command, Instruct)
    assert (item.command.by, item.command.terminal) == ("root:1", "")


def a_deposit_of(day_s: int, command_id: str, behind_s: int = 30 * 86_400) -> Item:
    """One that is dated so many seconds after it is received, where a sender's clock may be behind by so many."""
    command = a_deposit(id=command_id, issued_at=ms_instant(AT + day_s * 1_000)).command
    value = keys()["root:1"].sign(orjson.dumps(command.model_dump(mode="json")))
    arrival = Arrival("commands", partition_of("A", 4), 7, b"A", value, AT)
    return Verifier(Settings(partitions=4, clock_behind_s=behind_s), a_directory()).command(arrival)


@pytest.mark.parametrize("command_id", ["bank-1f", "by-hand"])
def test_a_deposit_of_a_bank_statement_is_as_old_as_its_credit_and_no_clock_is_wrong(command_id: str) -> None:
    """The days: long past, this one where no clock may be behind, and one that has begun east of Greenwich alone."""
    items = [
        a_deposit_of(-400 * 86_400, command_id), a_deposit_of(-3_600, command_id, behind_s=0),
        a_deposit_of(14 * 3_600, command_id),
    ]  # fmt: skip
    if command_id == "bank-1f":
        assert all(isinstance(item, Ask) for item in items)
    else:
        assert [item.reason for item in items if isinstance(item, Quarantine)] == [RejectReason.WRONG_CLOCK] * 3


def test_a_day_that_has_begun_nowhere_is_none_of_a_bank_s() -> None:
    item = a_deposit_of(15 * 3_600, "bank-1f")
    assert isinstance(item, Quarantine)
    assert (item.reason, item.detail) == (
        RejectReason.WRONG_CLOCK, "the deposit was booked on 2026-01-01, and that day is to come",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (a_deposit(), RejectReason.UNKNOWN_KEY),
        (set_payee(), RejectReason.UNKNOWN_KEY),
        (a_reversal(tree="B"), RejectReason.WRONG_AGENT),
    ],
)
def test_everything_else_a_terminal_orders_is_quarantined(command: Instruct, reason: RejectReason) -> None:
    item = a_command(command)
    assert isinstance(item, Quarantine)
    assert item.reason is reason


def test_a_reversal_brings_what_the_directory_lets_be_reversed() -> None:
    directory = a_directory()
    directory.apply("payees", "back", a_payee("back", reversal_s=600).model_dump_json().encode())
    directory.apply("gateways", "both", a_gateway("both", cancels=True).model_dump_json().encode())
    directory.apply("gateways", "one-way", a_gateway("one-way").model_dump_json().encode())
    value = keys()["root:1"].sign(orjson.dumps(a_reversal().command.model_dump(mode="json")))
    item = Verifier(Settings(partitions=4), directory).command(Arrival("commands", PARTITION, 7, b"A", value, AT))
    assert isinstance(item, Ask)
    assert isinstance(item.command, Instruct)
    assert item.command.reversible == Reversible({"back": 600}, frozenset({"both"}))

"""What a partner's question becomes, and what it is told: with a desk that says what Kafka would bring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.partner.answer import NOT_FINISHED, OK, OTHER_PARAMETERS, Told
from console.partner.desk import Said
from console.partner.question import BadQuestion, parsed
from console.partner.records import a_partner
from console.partner.sent import Sent
from console.partner.teller import Teller
from console.requests import Request
from schemas.envelope import SigningKey, open_envelope
from schemas.ids import ms_instant
from schemas.payment import PaymentOrder
from schemas.reply import Reply
from streams.directory import Directory
from tests.builders import AT, a_payee, a_terminal

PARTNER = a_partner("anna", "kiosk-1", "correct horse battery", [], "utf-8")
PAY = "command=pay&txn_id=17&account=9161234567&sum=95.00"


class ReplyDesk:
    """Hands replies to whoever waits for their id, in turn, as the desk of Kafka's does."""

    def __init__(self) -> None:
        self.asked: list[PaymentOrder] = []
        self.says: list[str] = []

    async def ask(self, request: Request, within_s: float, is_enough: Callable[[Said], bool]) -> Said | None:
        self.asked.append(PaymentOrder.model_validate_json(open_envelope(request.value).payload))
        last: Reply | None = None
        for state in self.says:
            last = Reply(id=request.id, state=state, final=state == "POSTED", txn=7, at=ms_instant(AT))  # type: ignore[arg-type]
            if is_enough(last):
                break
        return last


class World:
    def __init__(self, place: Path) -> None:
        self.directory, self.desk, self.sent = Directory(), ReplyDesk(), Sent(place / "sent.sqlite")
        self.directory.terminals["kiosk-1"] = a_terminal()
        self.directory.payees["mobile"] = a_payee()
        keys = {"kiosk-1": SigningKey.generate("kiosk-1:1")}
        self._teller = Teller(self.directory, keys, self.desk, self.sent, in_flight=5, pay_s=1, check_s=1)  # type: ignore[arg-type]

    def pay(self, query: str = PAY, payee: str = "mobile") -> Told:
        return asyncio.run(self._teller.answer(PARTNER, payee, parsed(query.encode(), "utf-8")))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.sent.close()


@pytest.mark.parametrize(
    "other",
    [
        PAY.replace("sum=95.00", "sum=96.00"),
        PAY.replace("sum=95.00", "sum=95.001"),
        PAY.replace("account=9161234567", "account=9160000000"),
        PAY + "&city=Omsk",
    ],
)
def test_what_became_of_a_number_is_not_told_to_a_question_with_other_parameters(world: World, other: str):
    """The first is HELD, and its POSTED arrives while the second waits under the same number."""
    world.desk.says = ["HELD"]
    assert world.pay().result == NOT_FINISHED
    world.desk.says = ["POSTED"]
    assert world.pay(other).result == OTHER_PARAMETERS
    assert len(world.desk.asked) == 1, "and the first one's waiter does not hear of a conflict that is not its own"
    again = world.pay(PAY.replace("sum=95.00", "sum=95") + "&txn_date=20261123100507")
    assert (again.result, again.provider_ref) == (OK, "7")
    assert world.desk.asked[0] == world.desk.asked[1]


def test_a_repeat_is_the_order_that_was_sent_whatever_the_directory_says_by_now(world: World):
    world.desk.says = ["POSTED"]
    world.pay()
    for payee in (a_payee(served="vouchers"), a_payee(currency="JPY"), None):
        world.directory.payees.clear()
        if payee is not None:
            world.directory.payees["mobile"] = payee
        assert world.pay().result == OK
    assert world.desk.asked == [world.desk.asked[0]] * 4
    with pytest.raises(BadQuestion, match="there is no such payee"):
        world.pay(PAY.replace("txn_id=17", "txn_id=18"))


def test_an_account_that_is_named_twice_is_paid_to_nobody(world: World):
    with pytest.raises(BadQuestion, match="'phone' is given twice"):
        world.pay(PAY + "&phone=9160000000")
    assert world.desk.asked == []


def test_a_payment_by_registry_is_told_as_not_finished_at_once(world: World):
    world.desk.says = ["HELD", "QUEUED", "POSTED"]  # the last one days later
    assert (world.pay().result, world.pay().comment) == (NOT_FINISHED, "QUEUED")

"""At the counter, vouchers: a batch is loaded, one is reserved, sold and printed again, and another is not there."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from console.client import Client
from console.demo_counter import RICH, TREE, Counter, CounterFailed, cashier
from console.demo_network import CURRENCY
from console.output import rows, say
from console.requests import command_request, payment_request
from console.voucher_file import Pin
from console.voucher_load import chunks
from console.voucher_secret import opened
from schemas.command import SetPayee, SetTariff, SetTerminal
from schemas.payee import Payee, SubscriberField
from schemas.payment import PaymentOrder
from schemas.reply import Reply
from schemas.tariff import Rate, Tariff
from schemas.terminal import Terminal
from schemas.voucher import Secret
from schemas.voucher_command import LoadVouchers, ReprintVoucher, ReserveVoucher
from streams.keyring import ensure_sealing_key, ensure_terminal_key, load_operator_key
from streams.pin_keys import ensure_pin_key
from streams.settings import Settings

PRODUCT = "card"
_FACE, _COST, _COUNT = 50_000, 48_000, 20
_FIRST = 1_001  # of the cashier's numbers, beyond those of the other payments at the counter


def vouchers_at_the_counter(settings: Settings) -> None:
    """Ex. 4 of the money page, as it is sold. Raises CounterFailed where something does not become what it must."""
    with Client(settings, ["root", cashier(RICH)]) as client:
        counter = Counter(settings, client, load_operator_key(settings, "root"), name="shelf")
        _stock_up(counter)
        payment, number = f"{cashier(RICH)}.{_FIRST}", _FIRST
        _asked(counter, "one is reserved", ReserveVoucher, payee=PRODUCT, tree=TREE, payment=payment,
               denomination=_FACE, currency=CURRENCY)  # fmt: skip
        sold = _secret(counter, _paid(counter, "and paid for", number, _FACE, "POSTED"))
        again = _asked(counter, "its receipt printed again", ReprintVoucher, tree=TREE, payment=payment)
        if _secret(counter, again) != sold:
            raise CounterFailed(f"payment {payment} was told another PIN")
        _paid(counter, "one of 1000.00, of which there is none", number + 1, 2 * _FACE, "VOIDED")
    rows(("vouchers", "id", "amount", "became"), counter.shown, right=("amount",))
    say(f"PIN …{sold.pin[-4:]}, serial {sold.serial}: opened by {cashier(RICH)} alone")
    say("")


def _stock_up(counter: Counter) -> None:
    """A product, its price, a batch under a key of PINs, and a sealing key for the cashier's terminal."""
    terminal, settings = cashier(RICH), counter.settings
    field = SubscriberField(name="phone", title="For the receipt", pattern=r"\d{10}")
    product = Payee(
        id=PRODUCT, name="Game card", gateway="none", currency=CURRENCY, fields=(field,), max_amount=2 * _FACE,
        denominations=(_FACE, 2 * _FACE), served="vouchers",
    )  # fmt: skip
    tariff = Tariff(payee=PRODUCT, reward=Rate(rate_bps=200), reward_shares_bps=(10_000,))
    record = Terminal(
        id=terminal, agent=RICH, tree=TREE, keys=(ensure_terminal_key(settings, terminal).public(),),
        sealing=ensure_sealing_key(settings, terminal).public(),
    )  # fmt: skip
    counter.order("", SetPayee, payee=product)
    counter.order("", SetTariff, tariff=tariff)
    counter.order("", SetTerminal, terminal=record)
    key = ensure_pin_key(settings, "v1")
    pins = [Pin(f"DEMO{number:04}", f"{secrets.randbelow(10**12):012}") for number in range(1, _COUNT + 1)]
    first = LoadVouchers(
        id=f"load.{PRODUCT}.demo.1", issued_at=datetime.now(UTC), payee=PRODUCT, batch="demo", denomination=_FACE,
        currency=CURRENCY, cost=_COST, supplier="cardhouse", kid=key.kid, count=len(pins), chunks=1, chunk=1,
        pins=((pins[0].serial, key.seal(PRODUCT, "demo", pins[0].serial, pins[0].pin)),),
    )  # fmt: skip
    (batch,) = chunks(first, pins, key)
    counter.asked(
        f"{_COUNT} vouchers of 500.00 loaded", _COUNT * _COST, command_request(batch, counter.operator), "DONE"
    )


def _asked(counter: Counter, what: str, kind: type[Any], **content: Any) -> Reply:
    """A command of the cashier's terminal."""
    command = kind(id=f"shelf.{kind.__name__}", issued_at=datetime.now(UTC), **content)
    key = ensure_terminal_key(counter.settings, cashier(RICH))
    return counter.asked(what, 0, command_request(command, key), "DONE")


def _paid(counter: Counter, what: str, number: int, amount: int, state: str) -> Reply:
    terminal = cashier(RICH)
    order = PaymentOrder(
        id=f"{terminal}.{number}", terminal=terminal, number=number, agent=RICH, payee=PRODUCT,
        subscriber={"phone": "9161234567"}, amount=amount, currency=CURRENCY, made_at=datetime.now(UTC),
    )  # fmt: skip
    return counter.asked(
        what, amount, payment_request(order, TREE, ensure_terminal_key(counter.settings, terminal)), state
    )


def _secret(counter: Counter, reply: Reply) -> Secret:
    secret = opened(counter.settings, cashier(RICH), reply)
    if secret is None:
        raise CounterFailed(f"{reply.id} came without a PIN: {reply.reason}")
    return secret

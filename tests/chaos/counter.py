"""What terminals do with vouchers beside paying for them: some are reserved first, some are printed again."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from random import Random

import orjson
from pydantic import ValidationError

from console.fleet_world import FleetTerminal
from console.requests import Request, command_request
from schemas.envelope import open_envelope
from schemas.reply import Reply
from schemas.sealing import NotSealed, OpeningKey
from schemas.voucher import Secret
from schemas.voucher_command import ReprintVoucher, ReserveVoucher
from tests.chaos.history import History
from tests.chaos.other_payees import CARD
from tests.chaos.traffic import OTHERWISE, Sending

_NEVER_PAID = 10**12  # added to a payment's number: a reservation under it is for nobody


class Counter:
    """Of all terminals. sealing: by terminal, what opens its secrets. Ids are unique by `name`."""

    def __init__(
        self,
        fleet: Sequence[FleetTerminal],
        sealing: Mapping[str, OpeningKey],
        history: History,
        rng: Random,
        name: str,
    ) -> None:
        self._fleet = {one.id: one for one in fleet}
        self._sealing = sealing
        self._history = history
        self._rng = rng
        self._name = name
        self._made = 0
        self._printed: deque[str] = deque(maxlen=200)  # payments whose PIN was told

    def before(self, sending: Sending) -> Iterator[Request]:
        """Of vouchers half are reserved before they are paid for; now and then one is, and nobody comes."""
        if sending.kind != OTHERWISE:
            return
        order = orjson.loads(open_envelope(sending.message.value).payload)
        pick = self._rng.randrange(10)
        if order["payee"] != CARD or pick > 5:
            return
        terminal = self._fleet[order["terminal"]]
        number = order["number"] + _NEVER_PAID * (pick == 0)
        reserve = ReserveVoucher(
            id=f"reserve.{terminal.id}.{number}", issued_at=datetime.now(UTC), payee=CARD, tree=terminal.tree,
            payment=f"{terminal.id}.{number}", denomination=order["amount"], currency=order["currency"],
        )  # fmt: skip
        yield command_request(reserve, terminal.key)

    def prints_again(self) -> Iterator[Request]:
        """The receipt of one that was sold; sometimes another terminal asks for it, and is refused."""
        if not self._printed:
            return
        payment = self._rng.choice(self._printed)
        paid_at = self._fleet[payment.partition(".")[0]]
        asks = paid_at if self._rng.randrange(5) else self._rng.choice(list(self._fleet.values()))
        self._made += 1
        order = ReprintVoucher(
            id=f"reprint.{self._name}.{self._made}", issued_at=datetime.now(UTC), tree=paid_at.tree, payment=payment
        )
        yield command_request(order, asks.key)

    def told(self, reply: Reply) -> None:
        """What is sealed in a reply is opened by the terminal it is for, and written down."""
        if reply.secret is None:
            return
        terminal = _kid(reply.secret).partition(":")[0]
        try:
            secret = Secret.model_validate_json(self._sealing[terminal].open(reply.secret))
        except (KeyError, NotSealed, ValidationError):
            self._history.unopened(reply.id)
            return
        self._history.secret(terminal, secret)
        self._printed.append(secret.payment)


def _kid(sealed: str) -> str:
    """Whose key it says it is for."""
    header = sealed.partition(".")[0]
    return str(orjson.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])

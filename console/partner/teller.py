"""From a partner's question to what it is told: a check asks the payee; a pay is a signed order, its reply decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import structlog
from pydantic import ValidationError

from console.amounts import minor_units, subscriber_fields
from console.errors import BadInput
from console.fees import fee_on_top
from console.numbers import fresh_id
from console.partner.answer import NOT_FINISHED, OK, OTHER, OTHER_PARAMETERS, REPEAT, Told, comment_of, result_of
from console.partner.desk import Desk, NotTaken, Said
from console.partner.question import BadQuestion, Question
from console.partner.records import Partner
from console.partner.sent import Sent
from console.requests import check_request, payment_request
from console.signing import now
from schemas.envelope import SigningKey
from schemas.ids import instant_ms
from schemas.money import Money, MoneyError
from schemas.payee import Payee
from schemas.payment import PaymentOrder
from schemas.refusal import Refusal
from schemas.reply import Reply
from schemas.terminal import Terminal
from schemas.tracking import CheckReply, CheckRequest
from streams.directory import Directory
from streams.ledger.tariff_choice import agent_path

log = structlog.get_logger()

# Of a partner's clock: within what workers take by default, with some room.
_AHEAD, _BEHIND = timedelta(minutes=5), timedelta(days=29)


class Teller:
    """in_flight: questions of one partner at once; more are told to come again. pay_s, check_s: longest waits.

    keys: of the partners' terminals; others may take their place at any time.
    """

    def __init__(
        self, directory: Directory, keys: Mapping[str, SigningKey], desk: Desk, sent: Sent, *,
        in_flight: int, pay_s: float, check_s: float,
    ) -> None:  # fmt: skip
        self._directory = directory
        self.keys = keys
        self._desk = desk
        self._sent = sent
        self._in_flight = in_flight
        self._pay_s = pay_s
        self._check_s = check_s
        self.under_way: Counter[str] = Counter()

    async def answer(self, partner: Partner, payee: str, question: Question) -> Told:
        """Raises BadQuestion for what can never be taken."""
        terminal = self._directory.terminals.get(partner.terminal)
        if terminal is None or self.under_way[partner.id] >= self._in_flight:
            why = "too much is under way" if terminal is not None else "the terminal is not enrolled"
            return Told(question.txn, REPEAT, f"{why}: repeat later")
        self.under_way[partner.id] += 1
        try:
            if question.command == "check":
                return await self._check(terminal, self._payee(payee, question), question)
            return await self._pay(terminal, payee, question)
        except NotTaken:
            return Told(question.txn, REPEAT, "the broker is away: repeat later")
        finally:
            self.under_way[partner.id] -= 1

    def _payee(self, payee: str, question: Question) -> Payee:
        record = self._directory.payees.get(payee)
        if record is None:
            raise BadQuestion(Refusal.OTHER, "6 there is no such payee", question.txn)
        if record.served == "vouchers":  # a PIN is sealed to the terminal, and would not come back from here
            raise BadQuestion(Refusal.OTHER, "vouchers are not sold to partners", question.txn)
        return record

    async def _check(self, terminal: Terminal, payee: Payee, question: Question) -> Told:
        amount = _minor(question, payee) if question.sum else 0
        try:
            request = CheckRequest(
                id=f"{terminal.id}.check.{fresh_id()}",
                terminal=terminal.id,
                agent=terminal.agent,
                payee=payee.id,
                subscriber=_subscriber(payee, question),
                amount=amount or None,
                made_at=now(),
            )
        except ValidationError:
            raise BadQuestion(Refusal.BAD_SUBSCRIBER_FORMAT, "the fields cannot be used", question.txn) from None
        signed = check_request(request, terminal.tree, self.keys[terminal.id])
        said = await self._desk.ask(signed, self._check_s, lambda _: True)
        if not isinstance(said, CheckReply):
            return Told(question.txn, REPEAT, "the check was not answered in time: repeat later")
        if said.secret is not None:
            log.warning("check_not_opened", terminal=terminal.id)
        return Told(question.txn, _checked(said), _comment(said), question.sum, shown=_shown(said, payee.currency))

    async def _pay(self, terminal: Terminal, payee: str, question: Question) -> Told:
        before = self._sent.find(f"{terminal.id}.{question.txn}")
        if before is not None and not _is_asked_again(before, terminal, payee, question):
            # Not sent: replies have the number alone, and one to the first order would be taken for this one's.
            why = "the number was used before with other parameters"
            return Told(question.txn, OTHER_PARAMETERS, why, question.sum)
        order = before or self._sent.kept(self._order(terminal, self._payee(payee, question), question))
        request = payment_request(order, terminal.tree, self.keys[terminal.id])
        said = await self._desk.ask(request, self._pay_s, _is_enough)
        if not isinstance(said, Reply):
            return Told(question.txn, NOT_FINISHED, "it is not decided yet: repeat", question.sum)
        ref = str(said.txn) if said.txn else ""
        return Told(question.txn, result_of(said), comment_of(said), question.sum, ref)

    def _order(self, terminal: Terminal, payee: Payee, question: Question) -> PaymentOrder:
        """What is not in the box: the partner settles with whoever brought the money, so nothing waits for funds."""
        made_at = _made_at(question)
        amount = _minor(question, payee)
        path = agent_path(terminal.tree, terminal.agent)
        fee = fee_on_top(self._directory.tariffs.get(payee.id), amount, path, instant_ms(now()))
        number = int(question.txn)
        try:
            return PaymentOrder(
                id=f"{terminal.id}.{number}",
                terminal=terminal.id,
                number=number,
                agent=terminal.agent,
                payee=payee.id,
                subscriber=_subscriber(payee, question),
                amount=amount,
                fee=fee or 0,
                currency=payee.currency,
                made_at=made_at,
            )
        except ValidationError:
            raise BadQuestion(Refusal.OTHER, "the sum or a field cannot be used", question.txn) from None


def _is_asked_again(order: PaymentOrder, terminal: Terminal, payee: str, question: Question) -> bool:
    """Is it what was asked for then, whatever the directory says of payee and tariff by now?"""
    account, *others = order.subscriber.items()
    try:
        amount = minor_units(question.sum, order.currency)
    except MoneyError:
        return False
    return (order.agent, order.payee, account[1], dict(others), order.amount) == (
        terminal.agent, payee, question.account, question.others, amount,
    )  # fmt: skip


def _subscriber(payee: Payee, question: Question) -> dict[str, str]:
    """Raises BadQuestion."""
    try:
        return subscriber_fields(payee.fields[0].name, question.account, question.others)
    except BadInput as error:
        raise BadQuestion(Refusal.OTHER, str(error), question.txn) from None


def _minor(question: Question, payee: Payee) -> int:
    """Minor units. Raises BadQuestion."""
    try:
        return minor_units(question.sum, payee.currency)
    except MoneyError as error:
        raise BadQuestion(Refusal.OTHER, str(error), question.txn) from None


def _made_at(question: Question) -> datetime:
    """The partner's `txn_date` (YYYYMMDDHHMMSS), read as UTC, where that can be; else now. It is recorded, no more."""
    at = now()
    try:
        told = datetime.strptime(question.txn_date, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return at
    return told if at - _BEHIND < told < at + _AHEAD else at


def _is_enough(said: Said) -> bool:
    """What follows MANUAL and QUEUED takes days."""
    return isinstance(said, Reply) and (said.final or said.state in ("MANUAL", "QUEUED"))


def _checked(reply: CheckReply) -> int:
    """1 and 243 say that it cannot be told now, which no partner should take for a no."""
    if reply.code in (OK, REPEAT):
        return reply.code
    return REPEAT if reply.retryable else reply.code if reply.code in (4, 5, 7, 8, 79, 241, 242, 243) else OTHER


def _comment(reply: CheckReply) -> str:
    return f"{reply.code} {reply.reason}" if reply.code else ""


def _shown(reply: CheckReply, currency: str) -> list[tuple[str, str]]:
    shown = [("name", reply.name)] if reply.name else []
    shown += [("debt", str(Money(reply.debt, currency)))] if reply.debt is not None else []
    return shown + [(field.name, field.text) for field in reply.shown]

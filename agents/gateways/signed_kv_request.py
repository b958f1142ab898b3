"""Writing signed key=value requests: who asks, and one question about one payment."""

from __future__ import annotations

from dataclasses import dataclass

from agents.gateways.amounts import sum_of, sum_of_payer
from agents.gateways.errors import NotSent
from schemas.entry import PaymentFacts
from schemas.ids import ms_instant
from schemas.outcome import Step

# Keys of the protocol's own: a field of the subscriber cannot stand in for one of them.
RESERVED = frozenset(
    {
        "SD",
        "AP",
        "OP",
        "DATE",
        "SESSION",
        "NUMBER",
        "ACCOUNT",
        "AMOUNT",
        "AMOUNT_ALL",
        "REQ_TYPE",
        "PAY_TOOL",
        "TERM_ID",
        "COMMENT",
        "ACCEPT_KEYS",
        "NO_ROUTE",
    }
)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who we are at the payee: its codes for the dealer, the point and the point's operator.

    account: the subscriber's field that goes as ACCOUNT; "": none does. accept_keys: serial number of the key that is
    to sign the answer; "": the payee has one key only.
    """

    dealer: str
    point: str
    operator: str
    account: str = ""
    accept_keys: str = ""


def lines(step: Step, facts: PaymentFacts, asker: Asker) -> list[tuple[str, str]]:
    """The request's lines in order: the same for every repeat of a step. Raises NotSent where a field has no place.

    NUMBER is the first of the subscriber's fields that is not ACCOUNT; the others go under their own names in
    capitals.
    """
    known = [("SD", asker.dealer), ("AP", asker.point), ("OP", asker.operator)]
    keys = [("ACCEPT_KEYS", asker.accept_keys)] if asker.accept_keys else []
    if step == "status":
        return [*known, ("SESSION", str(facts.txn)), *keys]
    account, number, further = _subscriber(facts, asker.account)
    at = ms_instant(facts.received_at)
    return [
        *known,
        ("DATE", f"{at:%d.%m.%Y %H:%M:%S}"),
        ("SESSION", str(facts.txn)),
        ("NUMBER", number),
        ("ACCOUNT", account),
        ("AMOUNT", sum_of(facts)),
        ("AMOUNT_ALL", sum_of_payer(facts)),
        ("PAY_TOOL", "0"),
        *further,
        *keys,
    ]


def _subscriber(facts: PaymentFacts, account: str) -> tuple[str, str, list[tuple[str, str]]]:
    fields = dict(facts.subscriber)
    if account and account not in fields:
        raise NotSent("bad-field", f"the payee has no field {account!r}, which is to go as ACCOUNT")
    as_account = fields.pop(account, "")
    number = next(iter(fields), "")
    as_number = fields.pop(number, "")
    further = [(name.upper(), value) for name, value in fields.items()]
    if clash := RESERVED.intersection(name for name, _ in further):
        raise NotSent("bad-field", f"the payee's field {min(clash)!r} has the name of a key of the protocol")
    return as_account, as_number, further

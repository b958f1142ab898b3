"""Reading a two-phase payee's reply: JSON-RPC 2.0 from a stranger, which must answer our request about our payment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

from agents.gateways import strict_json
from agents.gateways.xml_reply import MAX_COMMENT, MAX_PROVIDER_REF, plain
from schemas.entry import PaymentFacts
from schemas.money import MAX_MINOR

MAX_FIELDS = 100
CREATED, PERFORMED, CANCELLED_BEFORE, CANCELLED_AFTER = 1, 2, -1, -2
STATES = frozenset({CREATED, PERFORMED, CANCELLED_BEFORE, CANCELLED_AFTER})

_TXN = re.compile(r"[1-9]\d{0,17}", re.ASCII)
# A message may come in several languages; the first of these that is there is kept.
_LANGUAGES = ("ru", "en", "uz")


class BrokenReply(ValueError):
    """Not a reply one can rely on. code: a word for programs; the text holds nothing of the reply."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Refused:
    """The payee's error instead of a result. comment: for people, at most 200 characters."""

    code: int
    comment: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """Where the payee says a transaction stands. state: one of STATES. provider_ref: the payee's number of it."""

    state: int
    provider_ref: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A transaction in a statement. amount: minor units. at: ms UTC, when it was performed, where it ever was."""

    txn: int
    amount: int
    state: int
    provider_ref: str
    at: int


def read(body: bytes, rpc_id: int) -> dict[str, Any] | Refused:
    """The result, or the error, in these bytes. Raises BrokenReply for all that is not one answer to this request."""
    try:
        said = strict_json.loads(body)
    except strict_json.NotStrict as error:
        raise BrokenReply("reply-broken", f"the reply cannot be taken: {error}") from None
    if not isinstance(said, dict) or said.get("jsonrpc", "2.0") != "2.0":
        raise BrokenReply("reply-broken", "the reply is not one of JSON-RPC 2.0")
    if strict_json.whole(said.get("id")) != rpc_id:
        raise BrokenReply("wrong-id", "the reply is to another request")
    result, refusal = said.get("result"), said.get("error")
    if (result is None) == (refusal is None):
        raise BrokenReply("reply-broken", "the reply has no result and no error, or both")
    if refusal is not None:
        return _refused(refusal)
    if not isinstance(result, dict):
        raise BrokenReply("reply-broken", "the result is not an object")
    return result


def allows(result: dict[str, Any]) -> bool:
    """Would the payee take the payment? Raises BrokenReply where the result of a check does not say."""
    allow = result.get("allow")
    if not isinstance(allow, bool):
        raise BrokenReply("reply-broken", "the result does not say whether the payment is allowed")
    return allow


def additional(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What a check's result says of the subscriber: names and texts, as they came; of a list, with blanks between."""
    told = result.get("additional")
    if not isinstance(told, dict):
        return []
    texts = ((name, _text(value)) for name, value in islice(told.items(), MAX_FIELDS))
    return [(name, text) for name, text in texts if text is not None]


def _text(value: object) -> str | None:
    if isinstance(value, list) and all(type(one) is int for one in value):
        return " ".join(map(str, value))
    return str(value) if isinstance(value, str) or type(value) is int else None


def transaction(result: dict[str, Any], facts: PaymentFacts) -> Transaction:
    """Where our payment stands. Raises BrokenReply, also where the result names another payment or sum."""
    if result.get("id", str(facts.txn)) != str(facts.txn):
        raise BrokenReply("wrong-txn", "the reply is about another payment")
    if "amount" in result and strict_json.whole(result["amount"]) != facts.amount:
        raise BrokenReply("wrong-sum", "the reply names another sum")
    return Transaction(_state(result), _ref(result))


def listed(result: dict[str, Any]) -> list[Listed]:
    """The lines of a statement, as they stand in it. Raises BrokenReply when one of them cannot be read: a statement of
    which a part is missing says of no payment that it is not in it."""
    rows = result.get("transactions")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BrokenReply("reply-broken", "the statement is no list of transactions")
    return [_listed(row) for row in rows]


def _listed(row: dict[str, Any]) -> Listed:
    txn, amount, state = row.get("id"), strict_json.whole(row.get("amount")), _state(row)
    if not isinstance(txn, str) or _TXN.fullmatch(txn) is None:
        raise BrokenReply("reply-broken", "a line of the statement has no number of ours")
    if amount is None or not 0 < amount <= MAX_MINOR:
        raise BrokenReply("reply-broken", "a line of the statement has no sum")
    name = {CREATED: "create_time", CANCELLED_BEFORE: "cancel_time"}.get(state, "perform_time")
    at = strict_json.whole(row.get(name))
    if at is None or at < 0:
        raise BrokenReply("reply-broken", "a line of the statement has no time")
    return Listed(int(txn), amount, state, _ref(row), at)


def _state(result: dict[str, Any]) -> int:
    state = strict_json.whole(result.get("state"))
    if state not in STATES:
        raise BrokenReply("reply-broken", "the reply does not say in which state the transaction is")
    return state


def _ref(result: dict[str, Any]) -> str:
    ref = result.get("transaction", "")
    return plain(str(ref), MAX_PROVIDER_REF) if isinstance(ref, str) or type(ref) is int else ""


def _refused(error: object) -> Refused:
    code = strict_json.whole(error.get("code")) if isinstance(error, dict) else None
    if code is None or code == 0 or not isinstance(error, dict):
        raise BrokenReply("reply-broken", "the error has no code")
    return Refused(code, plain(_message(error.get("message")), MAX_COMMENT))


def _message(message: object) -> str:
    if isinstance(message, dict):
        known = (message[language] for language in (*_LANGUAGES, *message) if language in message)
        message = next((text for text in known if isinstance(text, str)), "")
    return message if isinstance(message, str) else ""

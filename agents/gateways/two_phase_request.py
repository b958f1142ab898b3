"""What a two-phase payee is asked: JSON-RPC 2.0 requests, whose money is whole minor units."""

from __future__ import annotations

import json
from typing import Literal

from agents.gateways.errors import NotSent
from schemas.entry import PaymentFacts

Method = Literal[
    "CheckPerformTransaction",
    "CreateTransaction",
    "PerformTransaction",
    "CheckTransaction",
    "CancelTransaction",
    "GetStatement",
]
# Why a transaction is cancelled, in the protocol's numbers: the payer's money goes back.
REFUND = 5


def about(method: Method, facts: PaymentFacts, rpc_id: int) -> bytes:
    """A request about one payment: the same, but for rpc_id, at every repeat.

    `id` is our number of the payment, `time` when we received it: GetStatement goes by that time.
    Raises NotSent where a field of the subscriber is no text.
    """
    params: dict[str, object] = {}
    if method == "CheckPerformTransaction":
        params = {"amount": facts.amount, "account": dict(facts.subscriber)}
    elif method == "CreateTransaction":
        params = {
            "id": str(facts.txn), "time": facts.received_at, "amount": facts.amount, "account": dict(facts.subscriber),
        }  # fmt: skip
    elif method == "CancelTransaction":
        params = {"id": str(facts.txn), "reason": REFUND}
    else:
        params = {"id": str(facts.txn)}
    return _written(method, params, rpc_id)


def statement(since_ms: int, until_ms: int, rpc_id: int) -> bytes:
    """All transactions whose `time` is in the interval, both ends in it; ms UTC."""
    return _written("GetStatement", {"from": since_ms, "to": until_ms}, rpc_id)


def _written(method: Method, params: dict[str, object], rpc_id: int) -> bytes:
    asked = {"jsonrpc": "2.0", "id": rpc_id, "method": method, "params": params}
    try:
        return json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        raise NotSent("bad-field", "a field of the subscriber cannot be written in UTF-8") from None

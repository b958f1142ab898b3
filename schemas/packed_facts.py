"""A posted payment's facts in little room: there are millions of them, and any may be reversed months later."""

from __future__ import annotations

import orjson

from schemas.entry import PaymentFacts
from schemas.reversal import Posted


def pack_facts(facts: PaymentFacts, posted: Posted) -> bytes:
    """Values without names, JSON on one line. What the payment's id and number at the payee say is left out."""
    return orjson.dumps((
        posted.at, posted.provider_ref, facts.agent, facts.payee, facts.gateway, facts.subscriber, facts.amount,
        facts.fee, facts.processing, facts.collected, facts.currency, facts.tariff_version, facts.payer_agent,
        facts.held, facts.rewards, facts.made_at, facts.received_at, facts.day, facts.chain, facts.tariff_rule,
        facts.held_at, facts.change_to, facts.spent, facts.served, posted.voucher, facts.routes, facts.rerouted_from,
    ))  # fmt: skip


def unpack_facts(payment: str, txn: int, packed: bytes) -> tuple[PaymentFacts, Posted]:
    """What `pack_facts` made of the payment with this id ("<terminal>.<number>") and number at the payee."""
    (
        at, provider_ref, agent, payee, gateway, subscriber, amount, fee, processing, collected, currency,
        tariff_version, payer_agent, held, rewards, made_at, received_at, day, chain, tariff_rule, held_at, change_to,
        spent, served, voucher, routes, rerouted_from,
    ) = orjson.loads(packed)  # fmt: skip
    terminal, _, number = payment.rpartition(".")
    facts = PaymentFacts(
        payment, int(number), terminal, agent, payee, gateway, subscriber, amount, fee, processing, collected, currency,
        txn, tariff_version, payer_agent, held, tuple((account, share) for account, share in rewards), made_at,
        received_at, day, tuple(chain), tariff_rule, held_at, change_to,
        tuple((mark, amount) for mark, amount in spent), served, tuple(routes), tuple(rerouted_from),
    )  # fmt: skip
    return facts, Posted(at, provider_ref, voucher=tuple(voucher))

"""What a signed key=value reply says of a payment: a yes or a no only where it is signed and clearly about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agents.gateways import signed_kv_codes as codes
from agents.gateways.amounts import is_amount
from agents.gateways.results import ResultTable
from agents.gateways.xml_reply import MAX_COMMENT, MAX_PROVIDER_REF, BrokenReply, plain
from schemas.entry import PaymentFacts
from schemas.outcome import GatewayOutcome, Step, Verdict

TAKEN = "taken"  # our word for a pay that was accepted and is not final

# ERROR's meaning and RESULT of a status that knows of no pay. With another ERROR, RESULT 1 is no more than "failed".
_NOT_HERE = frozenset({("ok", codes.ONLY_CHECKED), ("absent", codes.ONLY_CHECKED), ("absent", None)})

# RESULTs of a pay that was refused. One that says "taken" or "under way" beside its ERROR says two things at once.
_WITH_A_REFUSAL = frozenset({None, codes.ONLY_CHECKED, codes.FINAL})

# Lines that say nothing of a subscriber.
_OWN = frozenset(
    [
        "DATE",
        "SESSION",
        "ERROR",
        "RESULT",
        "TRANSID",
        "AUTHCODE",
        "AMOUNT",
        "ERRMSG",
        "REST",
        "GATEWAY_IN",
        "GATEWAY_OUT",
    ],
)

_NUMBER = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedReply:
    """result: None: the reply has none. amount: major units, or None. told: lines that are none of the protocol's."""

    session: str
    error: str
    result: int | None
    provider_ref: str
    amount: str | None
    comment: str
    told: tuple[tuple[str, str], ...] = ()


def read(values: Mapping[str, str]) -> SignedReply:
    """The lines of a message whose signature was right. Raises BrokenReply."""
    for key in ("ERROR", "RESULT"):
        if _NUMBER.fullmatch(values.get(key, "" if key == "ERROR" else "0")) is None:
            raise BrokenReply(f"the reply has no number as its {key}")
    return SignedReply(
        session=values.get("SESSION", ""),
        error=values["ERROR"],
        result=int(values["RESULT"]) if "RESULT" in values else None,
        provider_ref=plain(values.get("TRANSID", ""), MAX_PROVIDER_REF),
        amount=values.get("AMOUNT") or None,
        comment=plain(values.get("ERRMSG") or values.get("ADDINFO", ""), MAX_COMMENT),
        told=tuple((key, value) for key, value in values.items() if key not in _OWN and value.strip()),
    )


def outcome_of(
    step: Step, facts: PaymentFacts, said: SignedReply, table: ResultTable, *, pay_is_final: bool = False
) -> GatewayOutcome:
    """pay_is_final: in this dialect an accepted pay is a paid one; else only RESULT 7 says so."""
    if said.session != str(facts.txn):
        return GatewayOutcome(step, Verdict.UNCLEAR, "wrong-txn", comment="the reply is about another payment")
    if said.amount is not None and not is_amount(said.amount, facts):
        return GatewayOutcome(step, Verdict.UNCLEAR, "wrong-sum", said.provider_ref, "the reply names another sum")
    if step == "status":
        return _of_status(said, table)
    verdict = table.verdict(step, said.error)
    if verdict is Verdict.FATAL and (step == "check" or said.result in _WITH_A_REFUSAL):
        return _refused(step, said)
    is_yes = verdict is not Verdict.FATAL and _is_yes(step, said.result, pay_is_final=pay_is_final)
    if verdict is Verdict.UNCLEAR or is_yes:
        return GatewayOutcome(step, verdict, said.error, said.provider_ref, said.comment)
    code = TAKEN if step == "pay" and said.result == codes.TAKEN else _result_of(said)
    return GatewayOutcome(step, Verdict.UNCLEAR, code, said.provider_ref, said.comment)


def _is_yes(step: Step, result: int | None, *, pay_is_final: bool) -> bool:
    if step == "check":
        return result == codes.TAKEN
    return result == codes.FINAL or (pay_is_final and result == codes.TAKEN)


def _of_status(said: SignedReply, table: ResultTable) -> GatewayOutcome:
    """RESULT says how far it came. An ERROR is about the payment only once that is to its end."""
    meaning = table.meaning("status", said.error)
    if said.result == codes.FINAL:
        match meaning:
            case "ok":
                return GatewayOutcome("status", Verdict.PAID, said.error, said.provider_ref, said.comment)
            case "fatal" | "repeat":  # it is over and was not paid: under this session it never will be
                return _refused("status", said)
            case _:
                return GatewayOutcome("status", Verdict.UNCLEAR, said.error, said.provider_ref, said.comment)
    if (meaning, said.result) in _NOT_HERE:
        return GatewayOutcome("status", Verdict.ABSENT, said.error, comment="the payee has had no pay for this session")
    code = _result_of(said) if meaning == "ok" else said.error
    return GatewayOutcome("status", Verdict.UNCLEAR, code, said.provider_ref, said.comment)


def _refused(step: Step, said: SignedReply) -> GatewayOutcome:
    """The payee's own code stands in the comment: what terminals are told is in the codes they know."""
    code = codes.IN_THE_FIELDS_CODES.get(said.error, "300")
    comment = f"ERROR={said.error} {said.comment}".strip()
    return GatewayOutcome(step, Verdict.FATAL, code, said.provider_ref, comment[:MAX_COMMENT])


def _result_of(said: SignedReply) -> str:
    return "no-result" if said.result is None else f"result-{said.result}"


def of_pay(pay: GatewayOutcome, status: GatewayOutcome) -> GatewayOutcome:
    """What a pay came to that the payee has, and whose status was asked at once.

    A final no is a status's own: it is about the payment, also where an earlier pay of it was unclear. What is not
    final is an unclear pay, whatever kept the status from being known: the pay has left us.
    """
    ref, comment = status.provider_ref or pay.provider_ref, status.comment or pay.comment
    if status.verdict is Verdict.FATAL:
        return status
    verdict = Verdict.PAID if status.verdict is Verdict.PAID else Verdict.UNCLEAR
    return GatewayOutcome("pay", verdict, status.code, ref, comment)

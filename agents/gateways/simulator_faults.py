"""How a simulated payee behaves: as data, and decided by hashes, so that one seed always gives one run."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from agents.gateways.simulator_question import Said
from schemas.ids import Wire

Percent = Annotated[float, Field(ge=0, le=100)]
Suffix = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,20}$")]
ResultCode = Annotated[int, Field(ge=-999_999_999, le=999_999_999)]


class Fault(StrEnum):
    """One way to answer badly. Those of BEFORE_ACCEPTING book nothing; the others book first, then misbehave."""

    TEMPORARY = "temporary"  # "repeat later", nothing booked
    NOT_FINISHED = "not_finished"  # booked, and "not finished"; the next answer is the stored one
    TIME_OUT_BEFORE = "time_out_before_accept"
    TIME_OUT_AFTER = "time_out_after_accept"  # booked, then silence until the asker hangs up
    DROP_AFTER = "drop_after_accept"  # booked, then the connection is reset
    HTTP_500_BEFORE = "http_500_before_accept"
    HTTP_500_AFTER = "http_500_after_accept"
    BROKEN_REPLY = "broken_reply"  # it ends in the middle
    GARBAGE = "garbage"  # an HTML page, as proxies like to send
    WRONG_TXN = "wrong_txn"  # a fine reply about another payment
    WRONG_SUM = "wrong_sum"
    WRONG_SIGNATURE = "wrong_signature"  # only where replies are signed


BEFORE_ACCEPTING = frozenset({Fault.TEMPORARY, Fault.TIME_OUT_BEFORE, Fault.HTTP_500_BEFORE})


class Behaviour(Wire):
    """What a payee does to those who ask it. Percentages are of requests and together at most 100.

    Faults hit only the first `faulty_askings` of each question about each payment, so that every payment ends.
    decline: the end of a subscriber's number -> the protocol's result code it always gets; decline_pct: of subscribers,
    with decline_code. cancels: whether payments are given back at all, within cancel_within_ms of the booking
    (0: at any time), but for keep_pct of payments. protocol: the wire it speaks; options: what that wire wants to know
    besides.
    """

    protocol: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")] = "osmp"
    options: dict[str, str] = Field(default_factory=dict, max_length=20)
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    jitter_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    temporary_pct: Percent = 0
    not_finished_pct: Percent = 0
    time_out_before_accept_pct: Percent = 0
    time_out_after_accept_pct: Percent = 0
    drop_after_accept_pct: Percent = 0
    http_500_pct: Annotated[Percent, Field(description="half of them after booking")] = 0
    broken_reply_pct: Percent = 0
    garbage_pct: Percent = 0
    wrong_txn_pct: Percent = 0
    wrong_sum_pct: Percent = 0
    wrong_signature_pct: Percent = 0
    faulty_askings: Annotated[int, Field(ge=0, le=1_000)] = 2
    decline: dict[Suffix, ResultCode] = Field(default_factory=dict, max_length=1_000)
    decline_pct: Percent = 0
    decline_code: ResultCode = 5
    cancels: bool = True
    cancel_within_ms: Annotated[int, Field(ge=0)] = 0
    keep_pct: Percent = 0
    cp1251: Annotated[bool, Field(description="reply in windows-1251, with a Cyrillic comment")] = False
    credentials: Annotated[str | None, Field(max_length=200, description='"user:password" asked for, if any')] = None

    @model_validator(mode="after")
    def _at_most_all_requests(self) -> Self:
        if sum(percent for _, percent in self.chances) > 100:
            raise ValueError("the faults' percentages add up to more than 100")
        return self

    @cached_property
    def chances(self) -> tuple[tuple[Fault, float], ...]:
        """The faults there are and their per cent of requests."""
        halves = {Fault.HTTP_500_BEFORE: self.http_500_pct / 2, Fault.HTTP_500_AFTER: self.http_500_pct / 2}
        every = ((fault, halves[fault] if fault in halves else getattr(self, f"{fault}_pct")) for fault in Fault)
        return tuple((fault, percent) for fault, percent in every if percent)


def debtor(behaviour: Behaviour, account: str) -> tuple[str, int] | None:
    """Name and debt (minor units) of a subscriber of a payee whose option `debtors` is "1", always the same."""
    if behaviour.options.get("debtors") != "1":
        return None
    drawn = int.from_bytes(blake2b(account.encode(), digest_size=4).digest(), "big")
    return f"Абонент {account[-4:]}", 100 + drawn % 100_000


class Dice:
    """Draws that depend on nothing but the seed and what is asked."""

    def __init__(self, seed: int) -> None:
        self._key = seed.to_bytes(8, "big", signed=True)

    def draw(self, *what: str | int) -> float:
        """A number in [0, 100), always the same for the same things."""
        return self.number(*what) * 100 / 2**48

    def number(self, *what: str | int) -> int:
        """A number in [0, 2**48), always the same for the same things."""
        text = "\x1f".join(map(str, what)).encode()
        return int.from_bytes(blake2b(text, digest_size=6, key=self._key).digest(), "big")

    def fault(self, behaviour: Behaviour, asked: int, *what: str | int) -> Fault | None:
        """The fault that hits this asking (1 = the first) of this question, if any."""
        if asked > behaviour.faulty_askings or not behaviour.chances:
            return None
        left = self.draw("fault", asked, *what)
        for fault, percent in behaviour.chances:
            if left < percent:
                return fault
            left -= percent
        return None

    def decline(self, behaviour: Behaviour, payee: str, account: str) -> int | None:
        """The code this subscriber is refused with, if it is."""
        for suffix, code in behaviour.decline.items():
            if account.endswith(suffix):
                return code
        if behaviour.decline_pct and self.draw("decline", payee, account) < behaviour.decline_pct:
            return behaviour.decline_code
        return None

    def keeps(self, behaviour: Behaviour, payee: str, txn: int, age_ms: int) -> Said | None:
        """Why a payment booked so long ago is not given back, if it is not."""
        if not behaviour.cancels:
            return Said.NO_CANCELS
        if behaviour.cancel_within_ms and age_ms > behaviour.cancel_within_ms:
            return Said.TOO_LATE
        return Said.KEPT if behaviour.keep_pct and self.draw("keep", payee, txn) < behaviour.keep_pct else None

"""An alert: something a person should know about now. Topic `alerts`; key: the agent it is for, "" for the operator."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.ids import Instant, Wire


class AlertKind(StrEnum):
    """What happened. Each kind says once when it begins, and once when it is over; EVENTS only that they happened."""

    REJECT_STORM = "REJECT_STORM"  # a partition has more to reject than the limit: it is read slowly
    REJECTS_IN_A_ROW = "REJECTS_IN_A_ROW"  # a terminal signs well, and everything it sends is rejected
    LOW_BALANCE = "LOW_BALANCE"  # an agent has less available than its contact record wants to know of
    LIMIT_HIT = "LIMIT_HIT"  # payments of an agent are refused for want of funds or limit
    PAYMENT_UNKNOWN_LONG = "PAYMENT_UNKNOWN_LONG"  # payments of a gateway are SENT, UNKNOWN or MANUAL for too long
    PAYMENT_UNKNOWN_OLD = "PAYMENT_UNKNOWN_OLD"  # the same, and 24 times as long
    DELIVERY_DEAD = "DELIVERY_DEAD"  # alerts do not reach one of those who should hear of them
    REGISTRY_LATE = "REGISTRY_LATE"  # registries of a payee are cut and not delivered for too long
    REGISTRY_UNANSWERED = "REGISTRY_UNANSWERED"  # a payee has not answered all lines of a registry for too long
    GATEWAY_FAILING = "GATEWAY_FAILING"  # a gateway's answers are unclear, or nothing can be sent to it
    WAITING_FUNDS_LONG = "WAITING_FUNDS_LONG"  # payments whose cash was taken wait for an agent's money for too long
    STATEMENT_DIFFERS = "STATEMENT_DIFFERS"  # a payee's statement has a payment in doubt, but not as we have it
    SHORTAGE = "SHORTAGE"  # less was counted in a terminal than payments put in
    LOW_STOCK = "LOW_STOCK"  # a payee has fewer vouchers of a denomination left than its record wants to know of


# Never over: nothing is open after them.
EVENTS = frozenset({AlertKind.SHORTAGE})


class Severity(StrEnum):
    INFO = "info"  # good to know, and what is over
    WARNING = "warning"  # somebody should look today
    CRITICAL = "critical"  # somebody should look now


class Alert(Wire):
    """What is to be told. `kind`, `subject` and `since` together name one occurrence, from its begin to its end."""

    kind: AlertKind
    subject: Annotated[
        str,
        Field(
            description="what it is about: a terminal, <terminal>/<currency>, a payment, <tree>/<agent>, "
            "<topic or gateway>/<partition>, or <payee>/<denomination>"
        ),
    ]
    agent: Annotated[str, Field(description="whose concern it is; empty: the operator's")] = ""
    severity: Severity
    text: Annotated[str, Field(max_length=500, description="a sentence for people; holds no payer's data")]
    at: Annotated[Instant, Field(description="when it was noticed")]
    since: Annotated[Instant, Field(description="when it began")]
    count: Annotated[int, Field(ge=0, description="how many messages or payments it is about, so far")] = 0
    over: Annotated[bool, Field(description="it has ended")] = False
    tree: Annotated[str, Field(description="the agent's tree; empty: the operator's, or not known")] = ""

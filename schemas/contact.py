"""Whom to tell: directory record, topic `contacts`, key "<tree>/<agent>"; "operator": the operator's own people."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.ids import Minor, Wire

OPERATOR = "operator"

ContactId = Annotated[
    str,
    StringConstraints(pattern=r"^(operator|[A-Za-z0-9][A-Za-z0-9_-]{0,39}/[A-Za-z0-9][A-Za-z0-9_-]{0,39})$"),
]
# What every mail server takes: no quotes, no comments, no control characters that could become a header.
MailAddress = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
        r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$",
        max_length=254,
    ),
]


class Webhook(Wire):
    """An address that alerts are posted to, and the name of the secret they are signed with."""

    url: Annotated[
        str,
        StringConstraints(pattern=r"^https?://[^\s@#/?]+(?:[/?][^\s#]*)?$", max_length=500),
        Field(description="no user, no password, no #fragment"),
    ]
    secret: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"),
        Field(description="name of a secret file under the keys directory, never the secret itself"),
    ]


class Contact(Wire):
    """Who hears of what concerns an agent, or, as "operator", of everything."""

    id: ContactId
    mail: Annotated[tuple[MailAddress, ...], Field(max_length=10)] = ()
    webhooks: Annotated[tuple[Webhook, ...], Field(max_length=5)] = ()
    low_balance: Annotated[Minor, Field(description="LOW_BALANCE below this much available; 0: never")] = 0

    @model_validator(mode="after")
    def _the_operator_has_no_balance(self) -> Self:
        if self.id == OPERATOR and self.low_balance:
            raise ValueError("the operator has no balance: set low_balance for an agent")
        return self


def contact_id(tree: str, agent: str) -> str:
    """The key of an agent's contact record."""
    return f"{tree}/{agent}"

"""The distinction the whole system rests on: a request that never left, or a payee that may have been paid."""

from __future__ import annotations


class GatewayError(Exception):
    """A question to a payee that got no answer. Never leaves agents/gateways: gateways turn it into an outcome.

    code: a word of ours for programs. comment: a sentence for people, without the payer's numbers or secrets.
    """

    def __init__(self, code: str, comment: str) -> None:
        super().__init__(f"{code}: {comment}")
        self.code = code
        self.comment = comment


class NotSent(GatewayError):
    """The request never left us: asking again is safe, another route too."""


class OutcomeUnknown(GatewayError):
    """The payee may have been paid: ask again with the same number, never re-route."""

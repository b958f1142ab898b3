"""Why a payment or command is refused, in the codes that terminals of this field know."""

from __future__ import annotations

from enum import Enum


class Refusal(Enum):
    """Members stand in order of precedence: when several apply, the first one listed is the answer.

    `code` is what the terminal sees; `retryable` says whether a new payment with the same content may succeed later.
    The declined payment itself stays declined: its id gets the stored outcome for ever.
    """

    WRONG_SIGNATURE = (150, False, "the signature or the key is wrong")
    NO_RIGHT = (133, False, "the terminal or operator has no right to ask this")
    OTHER_PARAMETERS = (215, False, "the same number was used before with other parameters")
    NO_SUCH_PAYEE = (6, False, "there is no such payee")
    PAYEE_UNAVAILABLE = (155, False, "the payee is not available to this agent")
    BAD_SUBSCRIBER_FORMAT = (4, False, "the subscriber's number does not have the payee's format")
    TOO_SMALL = (241, False, "the amount is below the payee's minimum")
    TOO_LARGE = (242, False, "the amount is above the payee's maximum")
    PAYEE_PROHIBITS = (7, False, "the payee prohibits the payment")
    BAD_FEE = (255, False, "the fee is not what the tariff says")
    TERMINAL_MAXIMUM = (252, False, "the amount is above the terminal's maximum")
    DAILY_LIMIT = (16, True, "the daily limit is used up")
    AGENT_LACKS_FUNDS = (220, True, "the agent lacks funds")
    UPSTREAM_LACKS_FUNDS = (280, True, "an agent above lacks funds")
    TEMPORARY = (1, True, "too many payments wait for the payee already; repeat later")
    SUBSCRIBER_NOT_FOUND = (5, False, "the payee does not know the subscriber")
    SUBSCRIBER_INACTIVE = (79, False, "the subscriber's account is not active")
    TECHNICAL_PROHIBITION = (8, False, "the payment is prohibited for technical reasons")
    CANNOT_CHECK = (243, False, "the subscriber cannot be checked")
    OTHER = (300, False, "another error; the operator knows more")

    def __init__(self, code: int, retryable: bool, sentence: str) -> None:
        self.code = code
        self.retryable = retryable
        self.sentence = sentence

    @classmethod
    def by_code(cls, code: int) -> Refusal:
        """The refusal with this code; codes of a payee that we do not list become OTHER."""
        return _BY_CODE.get(code, cls.OTHER)


_BY_CODE = {refusal.code: refusal for refusal in Refusal}

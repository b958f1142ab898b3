"""A gateway: how a payee's system is reached, and how patiently."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from schemas.ids import GatewayId, Wire

# The protocols there are, each a file in agents/gateways.
Protocol = Literal[
    "osmp",
    "agent-xml",
    "signed-kv",
    "two-phase",
]

# What a payee's result code lets us conclude: it is done; it never will be; ask again with the same number; to a
# status, that the payee has not heard of the number; nothing.
Meaning = Literal["ok", "fatal", "repeat", "absent", "unknown"]


# The option by which a payee's statement may say of a payment that it is not in it.
COMPLETE = "statement_complete_s"


_LONGEST_WAIT_MS = 86_400_000


class RetrySchedule(Wire):
    """When to ask again after an unclear answer: interval × factor^n, at most `budget` times, then MANUAL.

    An attempt of which nothing left us is no try: see `is_spent`.
    """

    interval_ms: Annotated[int, Field(ge=10, le=86_400_000)] = 60_000
    factor_pct: Annotated[int, Field(ge=100, le=1_000, description="130 = ×1.3")] = 130
    budget: Annotated[int, Field(ge=1, le=100)] = 25
    give_up_s: Annotated[
        int | None,
        Field(
            ge=1,
            le=31_622_400,
            description="how long after it was held a payment is tried again that could not be sent, s; none: as often "
            "in a row as the budget says",
            exclude_if=lambda give_up_s: (
                give_up_s is None
            ),  # records of old have none, and their digests are on ledgers
        ),
    ] = None

    def after(self, tries: int) -> int:
        """Milliseconds to wait after the given number of tries (1 = after the first)."""
        wait = self.interval_ms
        for _ in range(tries - 1):
            longer = min(wait * self.factor_pct // 100, _LONGEST_WAIT_MS)
            if longer == wait:
                break
            wait = longer
        return wait

    def is_spent(self, unsent: int, held_at: int, at: int) -> bool:
        """Is it time to give up what could not be sent? unsent: how often in a row; times in ms UTC."""
        if self.give_up_s is None:
            return unsent >= self.budget
        return at >= held_at + self.give_up_s * 1000

    def unsent_due(self, unsent: int, held_at: int, at: int) -> int:
        """When to try again what could not be sent: the last time at the moment it is given up; ms UTC."""
        due = at + self.after(unsent)
        return due if self.give_up_s is None else min(due, held_at + self.give_up_s * 1000)


class Breaker(Wire):
    """When to leave a payee alone: after so many failures in a row, for so long; then one question is tried."""

    failures: Annotated[int, Field(ge=1, le=1_000)] = 10
    open_ms: Annotated[int, Field(ge=10, le=3_600_000)] = 30_000


class Gateway(Wire):
    """Directory record, topic `gateways`, key: the gateway's id."""

    id: GatewayId
    protocol: Protocol
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=500)]
    time_out_ms: Annotated[int, Field(ge=50, le=300_000)] = 60_000
    connections: Annotated[int, Field(ge=1, le=500, description="one worker's calls at once: the bulkhead")] = 15
    retry: RetrySchedule = RetrySchedule()
    fatal_codes: Annotated[
        tuple[Annotated[int, Field(ge=-(2**31), lt=2**31)], ...] | None,
        Field(max_length=100, description="the dialect's final refusals; none given: the protocol's own table"),
    ] = None
    credentials: Annotated[
        str | None,
        Field(
            max_length=100,
            description="name of a secret file under the keys directory, never the secret itself",
        ),
    ] = None
    cancels: Annotated[
        bool,
        Field(
            description="the payee can be asked to give a payment back",
            exclude_if=lambda cancels: not cancels,  # records of old have none, and their digests are on ledgers
        ),
    ] = False
    results: Annotated[
        dict[Annotated[str, StringConstraints(pattern=r"^[ -~]{1,40}$")], Meaning],
        Field(
            max_length=200,
            description="the dialect's result codes, where they differ from the protocol's own table; "
            '"<step>:<code>" where a code means something else to one question',
            exclude_if=lambda results: not results,  # likewise
        ),
    ] = Field(default_factory=dict)
    per_s: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="a worker's requests a second at most; 0: any",
            exclude_if=lambda per_s: not per_s,
        ),
    ] = 0
    breaker: Annotated[
        Breaker | None,
        Field(
            description="each worker's own; none: it is asked whatever happens",
            exclude_if=lambda breaker: breaker is None,
        ),
    ] = None
    client_certificate: Annotated[
        str | None,
        Field(
            max_length=100,
            description="name of a PEM file, certificate and key, under the keys directory",
            exclude_if=lambda name: name is None,
        ),
    ] = None
    options: Annotated[
        dict[
            Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")],
            Annotated[str, StringConstraints(min_length=1, max_length=200)],
        ],
        Field(
            max_length=20,
            description="what the protocol wants to know besides: our numbers at the payee, names of further secrets",
            exclude_if=lambda options: not options,
        ),
    ] = Field(default_factory=dict)
    asks: Annotated[
        tuple[Literal["status", "statement"], ...],
        Field(
            max_length=2,
            description="what this dialect can be asked besides the protocol's own questions",
            exclude_if=lambda asks: not asks,
        ),
    ] = ()

    @field_validator("options")
    @classmethod
    def _says_when_a_statement_is_complete(cls, options: dict[str, str]) -> dict[str, str]:
        given = options.get(COMPLETE, "600")
        if not given.isascii() or not given.isdecimal() or not 600 <= int(given) <= 2_592_000:
            raise ValueError(f"{COMPLETE} is a whole number of seconds from 600 to 2592000")
        return options

    @property
    def statement_complete_ms(self) -> int | None:
        """How long after a request of ours the payee's statement tells for good whether it was carried out; None: it
        never does, as far as we were told."""
        return int(self.options[COMPLETE]) * 1000 if COMPLETE in self.options else None

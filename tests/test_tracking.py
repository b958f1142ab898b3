"""What a terminal is told about a subscriber, whoever was asked and whatever came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from agents.check_replies import CheckReplies
from agents.tracking import Tracking
from agents.verify import Verifier
from schemas.entry import PaymentFacts
from schemas.envelope import SigningKey
from schemas.ids import ms_instant
from schemas.outcome import Verdict
from schemas.payee import Payee
from schemas.reject import RejectReason
from schemas.tracking import CheckReply, Tracked
from streams.arrival import Arrival, Check, Forward, Item, Quarantine
from streams.clock import Clock
from streams.directory import Directory
from streams.ledger.state import State
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.shards import Shards
from tests.builders import AT, a_payee, a_tariff, a_terminal, a_tree
from tests.builders_offline import some_terms
from tests.builders_tracking import a_check, an_asked, tracked

KEY = SigningKey.generate("kiosk-1:1")
PARTITIONS = 4
LISTED = AT - 60_000


class OneTree:
    """Shards of which only this one is open."""

    def state(self, partition: int) -> State | None:
        return a_tree() if partition == 0 else None


class OneAnswer:
    """A list that says this of everybody."""

    def __init__(self, said: Tracked) -> None:
        self.said = said

    def track(self, payee: Payee, facts: PaymentFacts) -> tuple[Tracked, int]:
        return self.said, LISTED


class Now(Clock):
    def now_ms(self) -> int:
        return AT


def a_directory(**payee: Any) -> Directory:
    directory = Directory()
    record = a_payee(**payee)
    directory.apply("payees", record.id, record.model_dump_json().encode())
    directory.apply("tariffs", record.id, a_tariff().model_dump_json().encode())
    directory.apply("terminals", "kiosk-1", a_terminal(keys=(KEY.public(),)).model_dump_json().encode())
    return directory


def tracking(said: Tracked, directory: Directory, **settings: Any) -> Tracking:
    values = Settings(dir=Path("var"), **settings)
    made = Tracking(values, directory, OneAnswer(said), CheckReplies(values, KEY, directory.terminals), Now())
    made.shards = cast(Shards, OneTree())
    return made


async def told(said: Tracked, check: Check | None = None, directory: Directory | None = None) -> CheckReply:
    """The reply about a payee whose subscribers are in a list that says this."""
    directory = directory or a_directory(checked_at="subscribers")
    return await tracking(said, directory).reply(check or an_asked())


async def test_all_that_is_known_is_told() -> None:
    said = tracked(name="Иванов И. И.", debt=-5, denominations=(95_000, 10_000), shown=(("Address", "Lenina 5"),))
    reply = await told(said)
    assert (reply.code, reply.source, reply.name, reply.debt) == (0, "subscribers", "Иванов И. И.", -5)
    assert (reply.fee, reply.currency, reply.min_amount, reply.max_amount) == (5_000, "RUB", 100, 100_000_000)
    assert (reply.denominations, reply.shown[0].text) == ((95_000, 10_000), "Lenina 5")
    assert reply.listed_at == ms_instant(LISTED)


@pytest.mark.parametrize(
    ("said", "code", "retryable", "reason"),
    [
        (tracked(Verdict.FATAL, "5"), 5, False, "the payee does not know the subscriber"),
        (tracked(Verdict.FATAL, "79", "blocked since May"), 79, False, "blocked since May"),
        (tracked(Verdict.FATAL, "220"), 300, False, "another error; the operator knows more"),
        (tracked(Verdict.FATAL, "nonsense"), 300, False, "another error; the operator knows more"),
        (tracked(Verdict.UNCLEAR, "timeout", "no answer"), 1, True, "the subscriber was not looked up: no answer"),
        (tracked(Verdict.NOT_SENT, "connect"), 1, True, "the subscriber was not looked up: connect"),
        (tracked(Verdict.PAID), 1, True, "the subscriber was not looked up: 0"),
        (tracked(denominations=(100,)), 7, False, "the payee takes fixed amounts only of this subscriber"),
    ],
)
async def test_what_is_no_yes_is_a_clear_no_or_repeat_later(
    said: Tracked, code: int, retryable: bool, reason: str
) -> None:
    reply = await told(said)
    assert (reply.code, reply.retryable, reply.fee) == (code, retryable, None)
    assert reply.reason.startswith(reason)


async def test_what_kassa_itself_would_decline_nobody_is_asked_about() -> None:
    reply = await told(tracked(name="not asked"), an_asked(amount=99))
    assert (reply.code, reply.source, reply.name) == (241, "rules", "")
    reply = await told(tracked(), an_asked(payee="nobody"))
    assert (reply.code, reply.source) == (6, "rules")


@pytest.mark.parametrize(
    ("payee", "code"),
    [
        ({"skip_check": True}, 0),
        ({"served": "offline", "offline": some_terms()}, 0),
        ({"served": "vouchers"}, 155),  # a terminal without a sealing key can be sold no PIN
    ],
)
async def test_where_nobody_can_be_asked_the_rules_alone_are_the_answer(payee: dict[str, Any], code: int) -> None:
    reply = await told(tracked(name="not asked"), directory=a_directory(**payee))
    assert (reply.code, reply.source, reply.name) == (code, "rules", "")


async def test_a_question_that_is_too_old_is_not_asked() -> None:
    reply = await told(tracked(), an_asked(received_at=AT - 10_000))
    assert reply.code == 0
    reply = await told(tracked(), an_asked(received_at=AT - 10_001))
    assert (reply.code, reply.retryable, reply.source) == (1, True, "rules")


async def test_where_the_partition_is_on_its_way_to_another_worker_it_is_repeat_later() -> None:
    moved = an_asked()
    reply = await told(tracked(), Check(moved.request, moved.tree, Arrival("checks", 1, 7, b"A", b"", AT)))
    assert (reply.code, reply.retryable) == (1, True)


async def test_a_payee_whose_gateway_is_not_on_file_is_repeat_later() -> None:
    reply = await told(tracked(), directory=a_directory())
    assert (reply.code, reply.retryable, reply.source) == (1, True, "rules")


async def test_a_field_too_long_to_show_is_cut() -> None:
    reply = await told(tracked(name="n" * 500, shown=(("l" * 99, "t" * 999), ("", "nameless")) + (("a", "b"),) * 30))
    assert (len(reply.name), len(reply.shown[0].name), len(reply.shown[0].text)) == (200, 64, 200)
    assert len(reply.shown) <= 20


# --- from bytes to a question


def verified(value: bytes, partition: int | None = None) -> Item:
    at = partition_of("A", PARTITIONS) if partition is None else partition
    return Verifier(Settings(partitions=PARTITIONS), a_directory()).check(Arrival("checks", at, 7, b"A", value, AT))


def signed(key: SigningKey = KEY, **changes: Any) -> bytes:
    return key.sign(a_check(**changes).model_dump_json().encode())


def test_a_good_question_is_one_of_its_terminal_s_tree() -> None:
    item = verified(signed())
    assert isinstance(item, Check)
    assert (item.request, item.tree) == (a_check(), "A")


def test_one_under_another_key_goes_where_its_tree_is() -> None:
    item = verified(signed(), partition_of("A", PARTITIONS) ^ 1)
    assert isinstance(item, Forward)
    assert item.key == "A"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"rubbish", RejectReason.NOT_JWS),
        (signed(SigningKey.generate("kiosk-1:1")), RejectReason.BAD_SIGNATURE),
        (signed(SigningKey.generate("kiosk-9:1")), RejectReason.UNKNOWN_KEY),
        (signed(terminal="kiosk-2"), RejectReason.WRONG_TERMINAL),
        (signed(agent="A"), RejectReason.WRONG_AGENT),
        (signed(made_at=ms_instant(AT + 3_600_000)), RejectReason.WRONG_CLOCK),
        (KEY.sign(b'{"id": "kiosk-1.check.1"}'), RejectReason.BAD_SCHEMA),
    ],
)
def test_what_is_no_question_is_kept_in_quarantine(value: bytes, reason: RejectReason) -> None:
    item = verified(value)
    assert isinstance(item, Quarantine)
    assert item.reason is reason

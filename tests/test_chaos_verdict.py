"""The fault suite's judge: content with a sound run, and not with one that was damaged by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from console.audit_payee import PaidThere
from console.audit_report import Check, Report
from schemas.entry import Entry, EntryKind, Leg
from schemas.reject import HEADER_REASON
from streams.topics import LEDGER, PAYMENTS, REJECTS
from tests.chaos.findings import ARRIVAL, AUDIT, BROKEN, DIVERGENCE, DOUBLED, LOST, PAYEE, REPLY, UNHEARD, WAITING
from tests.chaos.other_payees import FAR, NEAR
from tests.chaos.replies_told import LAST_WORDS_MS
from tests.chaos_scenes import Recorded, Run, a_run

SEED = 11
MESSAGES = 2_500


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return a_run(tmp_path_factory.mktemp("run"), MESSAGES, SEED)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_sound_run_passes_and_every_message_is_accounted_for(run: Run) -> None:
    verdict = run.verdict
    assert verdict.problems == []
    assert verdict.passed
    assert verdict.line == "lost 0, doubled 0, broken chains 0, divergences from the model 0"
    assert verdict.acked == verdict.sent >= MESSAGES
    assert verdict.decided + verdict.duplicates + verdict.rejected == verdict.acked
    assert min(verdict.duplicates, verdict.rejected, verdict.answered_again) > 0
    entries = [entry for number in run.recorded.partitions() for entry in run.recorded.entries(number)]
    assert verdict.entries == len(entries)
    kinds = {entry.kind for entry in entries}
    assert kinds >= {EntryKind.HELD, EntryKind.DECLINED, EntryKind.POSTED, EntryKind.VOIDED, EntryKind.UNKNOWN}
    assert kinds >= {EntryKind.VOUCHER_SOLD, EntryKind.REGISTRY_ANSWERED, EntryKind.REROUTED}
    assert min(verdict.pins, verdict.lines, verdict.moved, verdict.questions, len(run.recorded.brought)) > 0
    assert 0.9 * verdict.questions <= verdict.answers


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_is_there_may_be_acknowledged_without_its_place(run: Run, tmp_path: Path) -> None:
    recorded = run.recorded.copy()
    recorded.lines = [[*line[:3], -1] if line[0] == "a" else line for line in recorded.lines]
    verdict = recorded.judged(tmp_path)
    assert verdict.problems == []
    assert verdict.acked == verdict.sent


def _kind(kind: EntryKind) -> Callable[[Entry], bool]:
    return lambda entry: entry.kind is kind


def _simply_paid(recorded: Recorded) -> Callable[[Entry], bool]:
    """The hold of a payment that arrived once, was held at once, and posted: all that the ledger has of its arrival."""
    sent = Counter(line[5] for line in recorded.lines if line[0] == "s")
    course: dict[str, list[EntryKind]] = {}
    for one in (entry for number in recorded.partitions() for entry in recorded.entries(number)):
        if one.payment is not None:
            course.setdefault(one.payment.id, []).append(one.kind)
    simple = {id for id, kinds in course.items() if kinds == [EntryKind.HELD, EntryKind.POSTED] and sent[id] == 1}
    return lambda entry: entry.kind is EntryKind.HELD and entry.payment is not None and entry.payment.id in simple


def entry_dropped(run: Recorded) -> None:
    partition, number, _ = run.find(_simply_paid(run))
    del run.topics[LEDGER.name, partition][number]


def payment_dropped_and_all_counted_anew(run: Recorded) -> None:
    partition, _, victim = run.find(_simply_paid(run))
    assert victim.payment is not None
    gone = victim.payment.id
    run.rewrite(partition, [one for one in run.entries(partition) if one.payment is None or one.payment.id != gone])


def entry_copied(run: Recorded) -> None:
    partition, number, _ = run.find(_kind(EntryKind.POSTED))
    run.topics[LEDGER.name, partition].append(run.topics[LEDGER.name, partition][number])


def entry_decided_twice(run: Recorded) -> None:
    partition, number, twice = run.find(_kind(EntryKind.POSTED))
    entries = run.entries(partition)
    run.rewrite(partition, [*entries[: number + 5], twice, *entries[number + 5 :]])


def hold_decided_twice(run: Recorded) -> None:
    partition, number, twice = run.find(_kind(EntryKind.HELD))
    entries = run.entries(partition)
    run.rewrite(partition, [*entries[: number + 1], twice, *entries[number + 1 :]])


def amount_changed(run: Recorded) -> None:
    partition, number, entry = run.find(_kind(EntryKind.HELD))
    changed = tuple(replace(leg, amount=leg.amount + (1 if leg.amount > 0 else -1)) for leg in entry.legs)
    entries = run.entries(partition)
    run.rewrite(partition, [*entries[:number], replace(entry, legs=changed), *entries[number + 1 :]])


def balance_off_by_one_from_here_on(run: Recorded) -> None:
    partition, number, entry = run.find(_kind(EntryKind.POSTED))
    account = entry.legs[0].account

    def shifted(leg: Leg) -> Leg:
        return replace(leg, balance=leg.balance + 1) if leg.account == account else leg

    entries = run.entries(partition)
    later = [
        replace(one, legs=tuple(map(shifted, one.legs))) if one.book == entry.book else one for one in entries[number:]
    ]
    run.rewrite(partition, [*entries[:number], *later], soundly=False)


def declined_though_it_had_the_money(run: Recorded) -> None:
    partition, number, entry = run.find(_simply_paid(run))
    facts = entry.payment
    assert facts is not None
    declined = replace(
        entry, kind=EntryKind.DECLINED, refusal=220, legs=(),
        payment=replace(facts, txn=0, processing=0, held=0, rewards=()),
    )  # fmt: skip
    entries = run.entries(partition)
    later = [one for one in entries[number + 1 :] if one.payment is None or one.payment.id != facts.id]
    run.rewrite(partition, [*entries[:number], declined, *later])


def held_over_the_limit(run: Recorded) -> None:
    partition, number, entry = run.find(lambda one: one.kind is EntryKind.DECLINED and one.refusal == 220)
    facts = entry.payment
    assert facts is not None
    held = facts.amount + facts.amount // 100
    legs = (
        Leg(f"agent:{facts.payer_agent}", facts.currency, -held, 0, 0),
        Leg(f"hold:{facts.payer_agent}", facts.currency, held, 0, 0),
    )
    entries = run.entries(partition)
    over = replace(entry, kind=EntryKind.HELD, refusal=0, legs=legs, payment=replace(facts, held=held))
    run.rewrite(partition, [*entries[:number], over, *entries[number + 1 :]])


def acknowledged_and_not_there(run: Recorded) -> None:
    number = sum(line[0] == "s" for line in run.lines)
    run.lines += [["s", number, PAYMENTS.name, "GOOD", "kiosk-1", "kiosk-1.777", "00" * 8, 1], ["a", number, 0, 10**6]]


def acknowledged_nowhere_and_not_there(run: Recorded) -> None:
    number = sum(line[0] == "s" for line in run.lines)
    run.lines += [["s", number, PAYMENTS.name, "GOOD", "kiosk-1", "kiosk-1.777", "00" * 8, 1], ["a", number, 0, -1]]


def other_bytes_where_it_was_acknowledged(run: Recorded) -> None:
    number = next(line[1] for line in run.lines if line[0] == "s" and line[3] == "GOOD")
    run.lines = [line if line[:2] != ["s", number] else [*line[:6], "0" * 16, line[7]] for line in run.lines]


def _undecided(run: Recorded, *, passed: bool) -> None:
    """A payment of another run, acknowledged behind everything else."""
    partition = next(number for number in run.partitions() if run.topics[PAYMENTS.name, number])
    records = run.topics[PAYMENTS.name, partition]
    run.offsets = {name: dict(places) for name, places in run.offsets.items()}
    offset = run.offsets[PAYMENTS.name][partition] + 10
    records.append(records[0]._replace(offset=offset, value=b"not a JWS, and nobody has said so"))
    run.offsets[PAYMENTS.name][partition] += 20 * passed


def passed_and_not_decided(run: Recorded) -> None:
    _undecided(run, passed=True)


def not_come_to_yet(run: Recorded) -> None:
    _undecided(run, passed=False)


def forgery_not_in_rejects(run: Recorded) -> None:
    rejects = run.topics[REJECTS.name, 0]
    rejects.remove(next(one for one in rejects if dict(one.headers)[HEADER_REASON] == b"BAD_SIGNATURE"))


def other_reason_in_rejects(run: Recorded) -> None:
    rejects = run.topics[REJECTS.name, 0]
    number = next(n for n, one in enumerate(rejects) if dict(one.headers)[HEADER_REASON] == b"BAD_SIGNATURE")
    headers = [*dict(rejects[number].headers).items()]
    changed = [(name, b"UNKNOWN_KEY" if name == HEADER_REASON else value) for name, value in headers]
    rejects[number] = rejects[number]._replace(headers=changed)


def good_payment_called_a_conflict(run: Recorded) -> None:
    """A message that was decided is in quarantine as well: two fates for one message."""
    rejects = run.topics[REJECTS.name, 0]
    model = next(one for one in rejects if dict(one.headers)[HEADER_REASON] == b"CONFLICT")
    partition = next(number for number in run.partitions() if len(run.topics[PAYMENTS.name, number]) > 100)
    good = next(line[1] for line in run.lines if line[0] == "s" and line[3] == "GOOD" and line[2] == PAYMENTS.name)
    place = next(line for line in run.lines if line[0] == "a" and line[1] == good)
    partition, offset = place[2], place[3]
    story = dict(model.headers) | {"origin_topic": b"payments", "origin_partition": str(partition).encode(),
                                   "origin_offset": str(offset).encode()}  # fmt: skip
    value = next(one.value for one in run.topics[PAYMENTS.name, partition] if one.offset == offset)
    rejects.append(model._replace(offset=10**6, value=value, headers=list(story.items())))


def _reply(run: Recorded, state: str) -> int:
    """Of a message that was told so once: what is told to its repeats would contradict a line that is changed."""
    told = Counter((line[1], line[2]) for line in run.lines if line[0] == "r")
    return next(
        n for n, line in enumerate(run.lines)
        if line[0] == "r" and line[2] == state and told[line[1], state] == 1
    )  # fmt: skip


def reply_that_lies(run: Recorded) -> None:
    number = _reply(run, "POSTED")
    run.lines[number] = [*run.lines[number][:2], "VOIDED", 5, *run.lines[number][4:]]


def reply_of_another_time(run: Recorded) -> None:
    number = _reply(run, "HELD")
    run.lines[number] = [*run.lines[number][:5], run.lines[number][5] + 1, *run.lines[number][6:]]


def two_ends_for_one_payment(run: Recorded) -> None:
    number = _reply(run, "POSTED")
    run.lines.insert(number, [*run.lines[number][:2], "DECLINED", 220, *run.lines[number][4:]])


def end_never_told(run: Recorded) -> None:
    number = _reply(run, "POSTED")
    payment = run.lines[number][1]
    run.lines = [line for line in run.lines if line[:2] != ["r", payment] or line[2] != "POSTED"]


def paid_without_a_payment(run: Recorded) -> None:
    run.books.append(PaidThere("mobile", 999, "9161234567", "10.00", 1))


def paid_and_then_voided(run: Recorded) -> None:
    _, _, entry = run.find(_kind(EntryKind.VOIDED))
    facts = entry.payment
    assert facts is not None
    major = f"{facts.amount // 100}.{facts.amount % 100:02d}"
    run.books.append(PaidThere(facts.gateway, facts.txn, next(iter(facts.subscriber.values())), major, 1))


def posted_and_never_paid(run: Recorded) -> None:
    del run.books[len(run.books) // 2]


def paid_another_sum(run: Recorded) -> None:
    run.books[0] = run.books[0]._replace(sum="1.00")


def paid_twice(run: Recorded) -> None:
    run.books.append(run.books[0])


def asked_for_two_things_under_one_number(run: Recorded) -> None:
    run.strange = {"mobile": 1}


def asked_at_both_gateways(run: Recorded) -> None:
    paid = next(one for one in run.books if one.book == FAR)
    run.overheard[paid.txn] = [NEAR, FAR]


def asked_at_another_gateway(run: Recorded) -> None:
    paid = next(one for one in run.books if one.book == FAR)
    run.overheard[paid.txn] = [NEAR]


def paid_and_nobody_was_heard_to_ask(run: Recorded) -> None:
    del run.overheard[run.books[len(run.books) // 2].txn]


def question_that_was_paid(run: Recorded) -> None:
    run.overheard[10**18 + 7] = ["mobile"]


def _is_voucher(entry: Entry) -> bool:
    return entry.kind is EntryKind.POSTED and entry.voucher is not None


def pin_sold_twice(run: Recorded) -> None:
    """The stock gives the last payment the PIN of the first."""
    partition, _, _ = run.find(_kind(EntryKind.VOUCHER_SOLD))
    entries = run.entries(partition)
    first, *_, last = (number for number, one in enumerate(entries) if one.kind is EntryKind.VOUCHER_SOLD)
    sold, its = entries[first].voucher, entries[last].voucher
    assert sold is not None
    assert its is not None
    entries[last] = replace(
        entries[last], voucher=replace(its, batch=sold.batch, serial=sold.serial, pin=sold.pin)
    )  # fmt: skip
    run.rewrite(partition, entries)


def voucher_sold_and_never_posted(run: Recorded) -> None:
    partition, number, entry = run.find(_is_voucher)
    entries = run.entries(partition)
    voided = replace(entry, kind=EntryKind.VOIDED, voucher=None)
    run.rewrite(partition, [*entries[:number], voided, *entries[number + 1 :]])


def _secret(run: Recorded) -> int:
    """Of a payment that is posted and was told its PIN once."""
    entries = (entry for number in run.partitions() for entry in run.entries(number) if _is_voucher(entry))
    sold = {entry.payment.id for entry in entries if entry.payment is not None}
    told = Counter(line[2] for line in run.lines if line[0] == "p")
    once = {payment for payment in sold if told[payment] == 1}
    return next(n for n, line in enumerate(run.lines) if line[0] == "p" and line[2] in once)


def pin_told_to_another_terminal(run: Recorded) -> None:
    number = _secret(run)
    run.lines[number] = ["p", "kiosk-0", *run.lines[number][2:]]


def another_pin_told(run: Recorded) -> None:
    number = _secret(run)
    run.lines[number] = [*run.lines[number][:4], "0" * 16]


def pin_that_nobody_can_open(run: Recorded) -> None:
    run.lines.append(["p", "", "kiosk-1.1", "", ""])


def pin_never_told(run: Recorded) -> None:
    """Though its terminal listened for long enough."""
    del run.lines[_secret(run)]
    run.lines = [["e", line[1] + LAST_WORDS_MS] if line[0] == "e" else line for line in run.lines]


def payment_in_two_registries(run: Recorded) -> None:
    """Its line is in another file too."""
    first, second = sorted(run.brought, key=lambda name: len(run.brought[name]))[-2:]
    run.brought[first] = run.brought[second]


def registry_that_was_another_file_first(run: Recorded) -> None:
    number = next(n for n, line in enumerate(run.lines) if line[0] == "f")
    run.lines[number] = [*run.lines[number][:2], "0" * 64]


def registry_that_is_not_whole(run: Recorded) -> None:
    name = max(run.brought, key=lambda name: len(run.brought[name]))
    run.brought[name] = run.brought[name][:-10]


def registry_that_never_came(run: Recorded) -> None:
    del run.brought[next(iter(run.brought))]


def queued_and_in_no_registry(run: Recorded) -> None:
    partition, number, _ = run.find(_kind(EntryKind.REGISTRY_LINE))
    entries = run.entries(partition)
    run.rewrite(partition, [*entries[:number], *entries[number + 1 :]])


def answered_and_not_ended(run: Recorded) -> None:
    partition, _, victim = run.find(lambda one: one.cause.id.startswith("registry.answered."))
    run.rewrite(partition, [one for one in run.entries(partition) if one.cause.id != victim.cause.id])


def question_that_changed_the_ledger(run: Recorded) -> None:
    _, _, entry = run.find(_kind(EntryKind.DEPOSITED))
    run.lines.append(["q", entry.cause.id, "mobile", "9161234567", 0])


def answer_to_no_question(run: Recorded) -> None:
    run.lines.append(["w", "check.0", 0, "payee", "", None])


def another_debtor_told(run: Recorded) -> None:
    number = next(n for n, line in enumerate(run.lines) if line[0] == "w" and line[2] == 0)
    *answer, debt = run.lines[number]
    run.lines[number] = [*answer, (debt or 0) + 1]


def question_never_answered(run: Recorded) -> None:
    run.lines.append(["q", "check.0", "mobile", "9161234567", 1])


def audit_that_failed(run: Recorded) -> None:
    check = Check("ledger.zero")
    check.fail("partition 0 offset 1: legs do not sum to zero")
    run.report = Report([check], 0.0)


MAYBE = -1  # money decided twice may, or may not, be what a later payment lacks

# What was done to the run; the headings under which it must be found, and how often, where that is certain.
DAMAGES: list[tuple[Callable[[Recorded], None], dict[str, int | None]]] = [
    (entry_dropped, {BROKEN: None, LOST: 1, DIVERGENCE: None, REPLY: 1}),
    (payment_dropped_and_all_counted_anew, {LOST: 1, DIVERGENCE: None, REPLY: None, PAYEE: 2}),
    (entry_copied, {DOUBLED: 1}),
    (entry_decided_twice, {DOUBLED: 1, DIVERGENCE: MAYBE}),
    (hold_decided_twice, {DOUBLED: 1, DIVERGENCE: MAYBE}),
    (amount_changed, {DIVERGENCE: None}),
    (balance_off_by_one_from_here_on, {BROKEN: 1}),
    (declined_though_it_had_the_money, {DIVERGENCE: None, PAYEE: 2, REPLY: None}),
    (held_over_the_limit, {DIVERGENCE: None, REPLY: None}),
    (acknowledged_and_not_there, {LOST: 1}),
    (acknowledged_nowhere_and_not_there, {LOST: 1}),
    (other_bytes_where_it_was_acknowledged, {LOST: 1}),
    (passed_and_not_decided, {LOST: 1}),
    (not_come_to_yet, {WAITING: 1}),
    (forgery_not_in_rejects, {LOST: 1, ARRIVAL: 1}),
    (other_reason_in_rejects, {ARRIVAL: 1}),
    (good_payment_called_a_conflict, {DIVERGENCE: None}),
    (reply_that_lies, {REPLY: 1}),
    (reply_of_another_time, {REPLY: 1}),
    (two_ends_for_one_payment, {REPLY: 2}),
    (end_never_told, {UNHEARD: 1}),
    (paid_without_a_payment, {PAYEE: 1}),
    (paid_and_then_voided, {PAYEE: 1}),
    (posted_and_never_paid, {PAYEE: 1}),
    (paid_another_sum, {PAYEE: 1}),
    (paid_twice, {PAYEE: 1}),
    (asked_for_two_things_under_one_number, {PAYEE: 1}),
    (asked_at_both_gateways, {DOUBLED: 1}),
    (asked_at_another_gateway, {PAYEE: 1}),
    (paid_and_nobody_was_heard_to_ask, {PAYEE: 1}),
    (question_that_was_paid, {PAYEE: 1}),
    (pin_sold_twice, {DOUBLED: 1, DIVERGENCE: None, REPLY: None}),
    (voucher_sold_and_never_posted, {LOST: 1, DIVERGENCE: None, REPLY: None}),
    (pin_told_to_another_terminal, {REPLY: 1}),
    (another_pin_told, {REPLY: 1}),
    (pin_that_nobody_can_open, {REPLY: 1}),
    (pin_never_told, {UNHEARD: 1}),
    (payment_in_two_registries, {DOUBLED: None, PAYEE: None}),
    (registry_that_was_another_file_first, {DOUBLED: 1}),
    (registry_that_is_not_whole, {DOUBLED: 1, PAYEE: None}),
    (registry_that_never_came, {DOUBLED: 1, PAYEE: 1}),
    (queued_and_in_no_registry, {LOST: None, DIVERGENCE: None, PAYEE: None}),
    (answered_and_not_ended, {LOST: None, REPLY: None, DIVERGENCE: MAYBE}),
    (question_that_changed_the_ledger, {DIVERGENCE: 1}),
    (answer_to_no_question, {REPLY: 1}),
    (another_debtor_told, {REPLY: 1}),
    (question_never_answered, {UNHEARD: 1}),
    (audit_that_failed, {AUDIT: 1}),
]


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("damage", "headings"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_the_judge_finds(
    run: Run, tmp_path: Path, damage: Callable[[Recorded], None], headings: dict[str, int | None]
) -> None:
    damaged = run.recorded.copy()
    damage(damaged)
    verdict = damaged.judged(tmp_path)
    assert not verdict.passed
    must = {heading: times for heading, times in headings.items() if times != MAYBE}
    assert must.keys() <= verdict.wrong.keys() <= headings.keys(), verdict.problems
    for heading, times in must.items():
        assert times is None or verdict.wrong[heading] == times, verdict.problems
        assert any(problem.startswith(heading) for problem in verdict.problems)

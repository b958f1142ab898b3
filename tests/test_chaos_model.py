"""The fault suite's model agrees with the core on every decision, and with nothing else."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from random import Random

import pytest

from schemas.entry import Entry, EntryKind
from schemas.outcome import GatewayOutcome, Verdict
from streams.ledger.evolve import evolve
from streams.ledger.state import State
from tests.chaos.model_terms import Finding
from tests.chaos_histories import Asked, Story

pytestmark = pytest.mark.long

COMMANDS = int(os.environ.get("TEST_COMMANDS", "50000"))


def _seed() -> int:
    seed = int(os.environ.get("TEST_SEED", "0")) or Random().randrange(1, 10**6)
    print(f"seed {seed}: TEST_SEED={seed} repeats it")
    return seed


@pytest.mark.timeout(600)
def test_the_model_agrees_with_the_core_on_every_decision() -> None:
    """Stories of a few hundred commands each: agents are opened, refused, run dry, and payments go every way."""
    seed = _seed()
    decided, kinds = 0, Counter[tuple[EntryKind, int]]()
    while decided < COMMANDS:
        story, asked = Story(seed), Asked()
        model, state = asked.model(), State(0)
        for command, entry in islice(story.steps(), 400):
            asked.see(command)
            kinds[entry.kind, entry.refusal] += 1
            evolve(state, entry)
            assert model.follow(entry) == [], f"seed {seed}"
        assert model.states() == Counter(one.state.value for one in state.open.values())
        assert model.decided.keys() == set(state.payments)
        decided += story.decided
        seed += 1
    print(f"{decided} commands, {kinds.total()} entries")
    assert {kind for kind, _ in kinds} == set(EntryKind)
    declined = {code for kind, code in kinds if kind is EntryKind.DECLINED}
    assert declined == {133, 6, 155, 300, 4, 241, 242, 7, 255, 252, 16, 220, 280, 1}


def _leg(**changes: int) -> Callable[[Entry], Entry | None]:
    def damage(entry: Entry) -> Entry | None:
        if not entry.legs:
            return None
        first = entry.legs[0]
        changed = replace(first, **{name: getattr(first, name) + by for name, by in changes.items()})
        return replace(entry, legs=(changed, *entry.legs[1:]))

    return damage


def _facts(**changes: object) -> Callable[[Entry], Entry | None]:
    return lambda entry: replace(entry, payment=replace(entry.payment, **changes)) if entry.payment else None


def _other_kind(entry: Entry) -> Entry:
    other = {
        EntryKind.HELD: EntryKind.DECLINED,
        EntryKind.DECLINED: EntryKind.HELD,
        EntryKind.POSTED: EntryKind.VOIDED,
        EntryKind.REFUSED: EntryKind.DEPOSITED,
    }
    return replace(entry, kind=other.get(entry.kind, EntryKind.POSTED if entry.payment else EntryKind.REFUSED))


def _to_nobody(entry: Entry) -> Entry | None:
    """The same amounts on another account."""
    if not entry.legs:
        return None
    return replace(entry, legs=(*entry.legs[:-1], replace(entry.legs[-1], account="agent:U2")))


def _never_sent(entry: Entry) -> Entry | None:
    """Posted, although the payee's answer does not say so."""
    is_answer = entry.kind is EntryKind.POSTED and entry.outcome is not None
    return replace(entry, outcome=GatewayOutcome("check", Verdict.NOT_SENT)) if is_answer else None


DAMAGES: dict[str, tuple[Callable[[Entry], Entry | None], str]] = {
    "an amount": (_leg(amount=1), "divergence"),
    "an account": (_to_nobody, "divergence"),
    "a leg left out": (lambda one: replace(one, legs=one.legs[:-1]) if one.legs else None, "divergence"),
    "a balance": (_leg(balance=1), "broken chain"),
    "a leg's number": (_leg(seq=1), "broken chain"),
    "the entry's number": (lambda one: replace(one, seq=one.seq + 1), "broken chain"),
    "the kind": (_other_kind, "divergence"),
    "the refusal": (lambda one: replace(one, refusal=one.refusal + 1), "divergence"),
    "the tries": (lambda one: replace(one, tries=one.tries + 7), "divergence"),
    "the failures in a row": (lambda one: replace(one, deferrals=one.deferrals + 1), "divergence"),
    "the time to ask again": (lambda one: replace(one, due_at=one.due_at + 1), "divergence"),
    "the cause": (lambda one: replace(one, cause=replace(one.cause, id="other.1", digest="00" * 16)), "divergence"),
    "the number at the payee": (_facts(txn=7), "divergence"),
    "the amount": (_facts(amount=7), "divergence"),
    "the payer": (_facts(payer_agent="nobody"), "divergence"),
    "the rewards": (_facts(rewards=(("reward", 1),)), "divergence"),
    "the payee": (_facts(payee="other"), "divergence"),
    "the terms": (
        lambda one: replace(one, agent=replace(one.agent, overdraft=one.agent.overdraft + 1)) if one.agent else None,
        "divergence",
    ),
    "the record": (
        lambda one: replace(one, record=replace(one.record, value={})) if one.record else None,
        "divergence",
    ),
    "the cash": (
        lambda one: replace(one, cash=replace(one.cash, expected=one.cash.expected + 1)) if one.cash else None,
        "divergence",
    ),
    "the fee": (
        lambda one: replace(one, charge=replace(one.charge, amount=one.charge.amount + 1)) if one.charge else None,
        "divergence",
    ),
    "how it was posted": (
        lambda one: replace(one, posted=replace(one.posted, at=one.posted.at + 1)) if one.posted else None,
        "divergence",
    ),
    "the transfer between trees": (
        lambda one: (
            replace(one, crossing=replace(one.crossing, amount=one.crossing.amount + 1)) if one.crossing else None
        ),
        "divergence",
    ),
    "the registry": (
        lambda one: (
            replace(one, registry=replace(one.registry, number=one.registry.number + 1)) if one.registry else None
        ),
        "divergence",
    ),
    "the payee's word": (_never_sent, "divergence"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_the_model_finds_every_entry_that_was_changed(what: str) -> None:
    """Any one entry of a story is damaged; the model must object to it, and say the right thing."""
    damage, heading = DAMAGES[what]
    rng, found = Random(_seed()), Counter[str]()
    while found.total() < 12:
        seed = rng.randrange(10**6)
        steps = list(islice(Story(seed).steps(), 150))
        damaged = [(n, changed) for n, (_, one) in enumerate(steps) if (changed := damage(one)) is not None]
        if not damaged:
            continue  # a story without such an entry
        victim, changed = rng.choice(damaged)
        findings = _followed(seed, victim, changed)
        assert heading in {finding.heading for finding in findings}, (seed, victim, changed, findings)
        found[heading] += 1


def _followed(seed: int, victim: int, changed: Entry) -> list[Finding]:
    """What the model says of the story up to and with the changed entry; before it there must be nothing."""
    asked = Asked()
    model = asked.model()
    for n, (command, entry) in enumerate(islice(Story(seed).steps(), victim + 1)):
        asked.see(command)
        findings = model.follow(changed if n == victim else entry)
        assert n == victim or not findings
    return findings


def test_what_is_decided_twice_is_doubled_whether_it_continues_the_book_or_not() -> None:
    seed = _seed()
    steps = list(islice(Story(seed).steps(), 200))
    asked = Asked()
    model = asked.model()
    for command, entry in steps:
        asked.see(command)
        assert model.follow(entry) == []
        is_open = entry.payment is not None and entry.payment.id in model.open
        if entry.kind in (EntryKind.DEFERRED, EntryKind.REROUTED) or (is_open and entry.kind is not EntryKind.HELD):
            continue  # an open payment may be answered again
        assert [finding.heading for finding in model.follow(entry)] == ["doubled"]


def test_a_decision_that_nobody_asked_for_is_a_divergence() -> None:
    seed = _seed()
    asked = Asked()
    model = asked.model()
    for _, entry in islice(Story(seed).steps(), 60):
        headings = {finding.heading for finding in model.follow(entry)}
        assert "divergence" in headings or entry.cause.by in ("dispatch", "funds", "registry", "timer")

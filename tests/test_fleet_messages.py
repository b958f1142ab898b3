"""A simulated fleet's messages are the same for the same seed, and the server's own rules do as they expect."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from random import Random

import pytest

from agents.verify import Verifier
from console.errors import BadInput
from console.fleet_forgeries import seeded_key
from console.fleet_kinds import BAD, EXPECTED, Expected, Kind, Outcome
from console.fleet_messages import FleetMessage, messages
from console.fleet_world import FleetPayee, FleetTerminal, World, made_up
from schemas.envelope import SigningKey
from schemas.reject import RejectReason
from schemas.terminal import Terminal
from streams.arrival import Arrival, Ask, Forward, Quarantine
from streams.directory import Directory
from streams.ledger.commands import LedgerCommand
from streams.ledger.decide import Conflict, Duplicate, decide
from streams.ledger.evolve import evolve
from streams.ledger.state import State
from streams.partitioner import partition_of
from streams.settings import Settings
from tests.builders import AT, NOW, a_deposit, a_payee, a_state, a_tariff, open_agent

SEED = 20_261_123
TREES = ("A", "B")


def a_world(terminals: int = 3, algorithm: str = "EdDSA") -> World:
    """Terminals of two trees, and three payees: any phone, fixed amounts with a tariff, a second field."""
    rng = Random(1)
    fleet = [
        FleetTerminal(
            f"kiosk-{n}", TREES[n % 2], TREES[n % 2], "RUB", _key(f"kiosk-{n}:1", algorithm, rng), 1 + 100 * n
        )
        for n in range(1, terminals + 1)
    ]
    records = [
        (a_payee("mobile"), None),
        (a_payee("fixed", denominations=(10_000, 50_000), max_amount=50_000), a_tariff("fixed")),
        (a_payee("water"), a_tariff("water")),
    ]
    return World(fleet, [FleetPayee.of(one, tariff, rng) for one, tariff in records], NOW)


def _key(kid: str, algorithm: str, rng: Random) -> SigningKey:
    return SigningKey.generate(kid, "ES256") if algorithm == "ES256" else seeded_key(kid, rng)


def sent(count: int = 1_000, bad_bps: int = 6_000, seed: int = SEED, world: World | None = None) -> list[FleetMessage]:
    return list(messages(world or a_world(), seed, count, bad_bps))


def test_the_same_seed_makes_the_same_bytes() -> None:
    assert sent(300) == sent(300)
    assert sent(300, seed=1) != sent(300, seed=2)


def test_the_share_of_bad_input_is_kept() -> None:
    assert {message.kind for message in sent(500, bad_bps=0)} == {Kind.GOOD}
    bad = sum(message.kind is not Kind.GOOD for message in sent(bad_bps=2_500))
    assert 200 < bad < 300, f"seed {SEED}"


def test_every_kind_of_bad_input_is_made_and_has_its_outcome() -> None:
    assert set(EXPECTED) == set(Kind)
    missing = set(BAD) - {message.kind for message in sent(bad_bps=9_000)}
    assert not missing, f"seed {SEED}"


def test_every_reason_for_quarantine_is_tried_but_a_revoked_key_and_faults_of_ours() -> None:
    tried = {expected.reason for expected in EXPECTED.values()}
    of_commands = {RejectReason.WRONG_SIGNER}
    assert set(RejectReason) - tried == {RejectReason.REVOKED_KEY, RejectReason.UNPROCESSABLE} | of_commands


def test_running_numbers_are_used_once_but_for_duplicates() -> None:
    again = (Kind.REPEAT, Kind.CONFLICT)
    used = Counter(message.id for message in sent() if message.id and message.kind not in again)
    assert [payment for payment, times in used.items() if times > 1] == []


def test_a_terminal_alone_still_signs_for_another() -> None:
    kinds = {message.kind for message in sent(bad_bps=10_000, world=a_world(1))}
    assert Kind.OTHER_TERMINAL in kinds


def test_a_kind_that_cannot_be_made_gives_way() -> None:
    world = World(a_world().terminals, [FleetPayee.of(a_payee(min_amount=1, max_amount=10**12), None, Random(1))], NOW)
    kinds = {message.kind for message in messages(world, SEED, 2_000, 10_000)}
    assert {Kind.TOO_SMALL, Kind.TOO_BIG}.isdisjoint(kinds)


@pytest.mark.parametrize("pattern", [r"\d{10}", r"9\d{9}", r"\+7\d{10}", r"[0-9]{6,12}", r".+", r"[1-9]\d{0,3}"])
def test_subscribers_are_made_up_from_the_pattern(pattern: str) -> None:
    values = made_up(pattern, Random(SEED), "mobile.phone") if pattern != r"\+7\d{10}" else ("+79161234567",)
    assert all(re.fullmatch(pattern, value) for value in values)


def test_a_pattern_of_letters_is_refused_with_a_way_out() -> None:
    with pytest.raises(BadInput, match="--payee"):
        made_up(r"[A-Z]{3}", Random(SEED), "club.card")


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_the_server_does_with_each_message_what_is_expected_of_it(algorithm: str) -> None:
    """The real rules are the judge: verification, then the ledger, partition by partition, as a worker runs them."""
    world = a_world(algorithm=algorithm)
    server = Server(world)
    wrong = []
    for message in sent(800 if algorithm == "EdDSA" else 300, world=world):
        found = server.outcome_of(message)
        if found != message.expected:
            wrong.append((message.kind, str(found), str(message.expected)))
    assert not wrong, f"seed {SEED}: {wrong[:5]}"


class Server:
    """What a worker does with payments, without Kafka: verify, re-key, decide, fold."""

    def __init__(self, world: World) -> None:
        self.settings = Settings()
        directory = Directory()
        for one in world.terminals:
            record = Terminal(id=one.id, agent=one.agent, tree=one.tree, keys=(one.key.public(),))
            directory.apply("terminals", one.id, record.model_dump_json().encode())
        for to in world.payees:
            directory.apply("payees", to.payee.id, to.payee.model_dump_json().encode())
            if to.tariff is not None:
                directory.apply("tariffs", to.payee.id, to.tariff.model_dump_json().encode())
        self.verifier = Verifier(self.settings, directory)
        money = 10**11
        self.states = {tree: a_state(open_agent(tree, tree=tree), a_deposit(tree, money, tree=tree)) for tree in TREES}
        self.received_at = AT + int(timedelta(minutes=1) / timedelta(milliseconds=1))

    def outcome_of(self, message: FleetMessage) -> Expected:
        item = self.verifier.payment(self.arrival(message, message.key))
        if isinstance(item, Forward):
            item = self.verifier.payment(self.arrival(message, item.key.encode()))
        if isinstance(item, Quarantine):
            assert item.message_id == message.id
            return Expected(Outcome.QUARANTINED, reason=item.reason)
        assert isinstance(item, Ask)
        return self.decided(item.command)

    def decided(self, command: LedgerCommand) -> Expected:
        state: State = self.states[command.book]
        decision = decide(state, command, self.received_at)
        if isinstance(decision, Duplicate):
            return Expected(Outcome.DUPLICATE)
        if isinstance(decision, Conflict):
            return Expected(Outcome.QUARANTINED, reason=RejectReason.CONFLICT)
        assert isinstance(decision, list)
        for entry in decision:
            evolve(state, entry)
        (entry,) = decision
        return Expected(Outcome.DECLINED, entry.refusal) if entry.refusal else Expected(Outcome.ACCEPTED)

    def arrival(self, message: FleetMessage, key: bytes) -> Arrival:
        partition = partition_of(key, self.settings.partitions)
        return Arrival("payments", partition, 0, key, message.value, self.received_at)

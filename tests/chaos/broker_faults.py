"""Brokers that die or freeze, and leaders that move while transactions are open. Never two brokers at once."""

from __future__ import annotations

from random import Random

from confluent_kafka import ElectionType, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.topics import LEDGER, PAYMENTS
from tests.chaos.fault import Fault
from tests.chaos.site import BROKERS, PARTITIONS, Site

_TRANSACTIONS = "__transaction_state"
_ANSWER_S = 15.0


class _BrokerFault(Fault):
    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.node = rng.randint(1, BROKERS)
        self.target = f"broker-{self.node}"


class BrokerKill(_BrokerFault):
    """kill -9: leaders move, also those of partitions in the middle of a transaction; then it starts again."""

    kind = "broker-kill"
    holds_s = (2.0, 12.0)

    def begin(self) -> None:
        self.site.kafka.kill(self.node)

    def end(self) -> None:
        self.site.kafka.restart(self.node)
        elect_preferred(self.site)


class BrokerFreeze(_BrokerFault):
    """SIGSTOP: connections stay open and nothing answers; woken, it still believes to lead."""

    kind = "broker-freeze"
    holds_s = (2.0, 12.0)

    def begin(self) -> None:
        self.site.kafka.pause(self.node)

    def end(self) -> None:
        self.site.kafka.resume(self.node)


class LeaderKill(Fault):
    """The leader of a ledger partition, or of its transactions' coordinator, is killed when it is found out."""

    kind = "leader-kill"
    holds_s = (2.0, 8.0)

    def __init__(self, site: Site, target: str, rng: Random) -> None:
        super().__init__(site, target, rng)
        self.partition = rng.randrange(PARTITIONS)
        self.topic = rng.choice((LEDGER.name, _TRANSACTIONS))
        self.target = f"{self.topic}-{self.partition}"
        self.node = 0

    def begin(self) -> None:
        topics = admin(self.site).list_topics(timeout=_ANSWER_S).topics
        self.node = max(1, topics[self.topic].partitions[self.partition].leader)
        self.target += f" on broker-{self.node}"
        self.site.kafka.kill(self.node)

    def end(self) -> None:
        self.site.kafka.restart(self.node)
        elect_preferred(self.site)


class LeaderMove(Fault):
    """Leadership goes back to the preferred brokers, in the middle of whatever is open."""

    kind = "leader-move"
    holds_s = (0.0, 0.0)

    def begin(self) -> None:
        elect_preferred(self.site)

    def end(self) -> None:
        pass


def admin(site: Site) -> AdminClient:
    return AdminClient({"bootstrap.servers": site.kafka.bootstrap, "log_level": 2})


def elect_preferred(site: Site) -> None:
    """Leaders where they belong again, so that no broker is left without any and each kill hits some."""
    places = [TopicPartition(topic.name, n) for topic in (LEDGER, PAYMENTS) for n in range(PARTITIONS)]
    places += [TopicPartition(_TRANSACTIONS, n) for n in range(PARTITIONS)]
    # No time-outs of its own here: the library (2.16) cannot read those it documents.
    future = admin(site).elect_leaders(ElectionType.PREFERRED, places)
    try:
        future.result(_ANSWER_S)
    except (KafkaException, TimeoutError):
        return  # a broker not in sync yet leads again by itself later

"""Which worker holds which partition: a number goes to one worker in every topic, and moves only when it must.

Faust's own assignor fills workers up to the larger share: on 12 partitions a fifth worker gets nothing, as four may
have three each. It also writes host names into its assignments and fails an assertion when a worker that kept its id
comes back on another host. aiokafka's round robin deals out pairs of topic and partition, so with 5 workers `payments`
0 and `commands` 0 would go to different ones, and a command would reach one that may not decide it. Here numbers are
dealt, evenly, and kept where possible: every number that moves is a ledger partition to be folded anew.

What a worker holds outlives its process, in a file. The embedded broker asks the group's leader to deal again when that
comes back, and tells nobody else of it: unless the same comes out, two workers have a number, and another has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

_VERSION = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """The numbers a member holds, and the term of the deal that gave them: of two claims to one the later is true."""

    term: int = 0
    held: frozenset[int] = frozenset()

    def encode(self) -> bytes:
        return orjson.dumps({"term": self.term, "held": sorted(self.held)})

    @staticmethod
    def decode(user_data: bytes | None) -> Claim:
        """What a member sent with its request to join; nothing when it is none of our words."""
        try:
            said = orjson.loads(user_data or b"{}")
            return Claim(int(said["term"]), frozenset(map(int, said["held"])))
        except (ValueError, TypeError, KeyError):
            return Claim()


def deal(numbers: Iterable[int], claims: Mapping[str, Claim]) -> dict[str, list[int]]:
    """Each number to one member, shares that differ by one at most; a member keeps what it holds up to its share."""
    members, free = sorted(claims), list[int]()
    dealt: dict[str, list[int]] = {member: [] for member in members}
    for number in sorted(numbers):
        holders = [member for member in members if number in claims[member].held]
        (dealt[max(holders, key=lambda member: claims[member].term)] if holders else free).append(number)
    base, extra = divmod(sum(map(len, dealt.values())) + len(free), len(members))
    most_first = sorted(members, key=lambda member: -len(dealt[member]))
    shares = {member: base + (rank < extra) for rank, member in enumerate(most_first)}
    for member in members:
        free += dealt[member][shares[member] :]
        del dealt[member][shares[member] :]
    free.sort(reverse=True)
    for member in members:
        dealt[member] += [free.pop() for _ in range(shares[member] - len(dealt[member]))]
    return dealt


class Together(AbstractPartitionAssignor):  # type: ignore[misc]
    """The assignor of one worker; aiokafka asks that of the group's leader."""

    name = "kassa-together"

    def __init__(self, kept: Path) -> None:
        """kept: the file with what this worker was dealt last, whichever process it was."""
        self._kept = kept
        self._claim = Claim.decode(kept.read_bytes() if kept.exists() else None)

    def metadata(self, topics: Iterable[str]) -> Any:
        return ConsumerProtocolMemberMetadata(_VERSION, sorted(topics), self._claim.encode())

    def assign(self, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
        claims = {member: Claim.decode(metadata.user_data) for member, metadata in members.items()}
        topics = sorted({topic for metadata in members.values() for topic in metadata.subscription})
        there = {topic: cluster.partitions_for_topic(topic) or set() for topic in topics}
        term = 1 + max(claim.term for claim in claims.values())
        return {
            member: ConsumerProtocolMemberAssignment(
                _VERSION,
                [(topic, [number for number in numbers if number in there[topic]]) for topic in topics],
                Claim(term, frozenset(numbers)).encode(),
            )
            for member, numbers in deal(set().union(*there.values()), claims).items()
        }

    def on_assignment(self, assignment: Any) -> None:
        self._claim = Claim.decode(assignment.user_data)
        fresh = self._kept.with_suffix(".new")
        with suppress(OSError):  # on a full disk what is not kept may move once more, and that is all
            fresh.write_bytes(self._claim.encode())
            fresh.replace(self._kept)

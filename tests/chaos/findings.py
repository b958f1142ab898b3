"""What the judge finds wrong, counted by heading; the first of each are described."""

from __future__ import annotations

from collections import Counter, defaultdict

_DESCRIBED = 20

LOST = "lost"  # a client was told that Kafka has it, and nothing became of it
DOUBLED = "doubled"  # one thing decided twice
BROKEN = "broken chain"  # a book's entries or an account's legs do not continue
DIVERGENCE = "divergence"  # the ledger decided other than the model
WAITING = "waiting"  # not decided yet: the workers have not come to it
ARRIVAL = "arrival"  # a message ended otherwise than its kind must
REPLY = "reply"  # a client was told what is not so
UNHEARD = "unheard"  # a client was not told how its payment ended
PAYEE = "payee"  # the payee's own book says otherwise
AUDIT = "audit"
HISTORY = "history"


class Findings:
    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self._described: dict[str, list[str]] = defaultdict(list)

    def add(self, heading: str, text: str) -> None:
        self.count[heading] += 1
        if len(self._described[heading]) < _DESCRIBED:
            self._described[heading].append(text)

    def described(self) -> list[str]:
        """Sentences for people, by heading; of many of a kind only the first."""
        found = []
        for heading, texts in self._described.items():
            found += [f"{heading}: {text}" for text in texts]
            if (more := self.count[heading] - len(texts)) > 0:
                found.append(f"{heading}: and {more} more")
        return found

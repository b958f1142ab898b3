"""Patterns of what a payer types in: regular expressions whose cost is known before they are put to work.

Python's `re` goes back and tries again where a pattern is ambiguous, and `(a+)+` takes longer than the worker lives.
So a pattern is read here first: it may be ambiguous only in a bounded number of ways. `x+y` has one way to match
anything, since no x is a y; `\\w+\\d+` has as many as a value has characters; `(a+)+` has more than can be counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_VALUE = 64  # characters in a value
MAX_WAYS = 5_000  # two free choices of a length, and a little

Symbols = frozenset[str]

_OTHER = "Ж"  # stands for all that is not ASCII
_ALPHABET = (*map(chr, range(128)), _OTHER)
_END = ""  # what follows the last character
_CLASSES = frozenset("dDwWsS")
_REPEATS = {"?": (0, 1), "*": (0, MAX_VALUE), "+": (1, MAX_VALUE)}
_BOUNDS = re.compile(r"\{(\d{0,4})(,?)(\d{0,4})\}")
_STRANGE_IN_CLASS = ("[", "--", "&&", "~~", "||")  # `re` keeps these for a meaning of their own


class PatternRefused(ValueError):
    """The pattern cannot be used; the text is a sentence for the operator who wrote it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One character of `symbols`, or a group of alternatives, `least` to `most` times."""

    symbols: Symbols
    branches: tuple[tuple[_Part, ...], ...]
    least: int
    most: int

    @property
    def first(self) -> Symbols:
        """What it can begin with; _END when it can be nothing."""
        begins = self.symbols.union(*map(_first, self.branches)) if self.branches else self.symbols
        return begins | {_END} if not self.least else begins


def check_pattern(pattern: str) -> str:
    """The pattern itself; raises PatternRefused unless it is a regular expression that is quick on every value."""
    try:
        branches = _Reader(pattern).whole()
        re.compile(pattern, re.ASCII)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise PatternRefused(f"not a regular expression for a field: {error}") from None
    if _ways_of_branches(branches, frozenset({_END})) > MAX_WAYS:
        raise PatternRefused(
            f"the pattern can match one value in more than {MAX_WAYS:,} ways, which would take too long: "
            "do not repeat what is repeated inside, and say how often"
        )
    return pattern


class _Reader:
    """Reads the part of Python's syntax that a field needs: characters, classes, groups, alternatives, repeats."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern.removeprefix("^")
        if self._text.endswith("$") and not self._text.endswith("\\$"):
            self._text = self._text[:-1]
        self._at = 0

    def whole(self) -> tuple[tuple[_Part, ...], ...]:
        branches = self._branches()
        if self._at < len(self._text):
            raise ValueError(f"{self._text[self._at]!r} without its beginning")
        return branches

    def _branches(self) -> tuple[tuple[_Part, ...], ...]:
        found: list[list[_Part]] = [[]]
        while (sign := self._peek()) and sign != ")":
            if sign == "|":
                self._at += 1
                found.append([])
            else:
                found[-1].append(self._part(sign))
        return tuple(map(tuple, found))

    def _part(self, sign: str) -> _Part:
        if sign == "(":
            branches = self._group()
            return _Part(frozenset(), branches, *self._repeat())
        symbols = _symbols(self._atom(sign))
        return _Part(symbols, (), *self._repeat())

    def _group(self) -> tuple[tuple[_Part, ...], ...]:
        self._at += 1
        if self._text.startswith("?:", self._at):
            self._at += 2
        elif self._peek() == "?":
            raise ValueError("of the groups that begin with '(?' only '(?:' can be used")
        branches = self._branches()
        if self._peek() != ")":
            raise ValueError("a group is not closed")
        self._at += 1
        return branches

    def _atom(self, sign: str) -> str:
        """The text of one character's description."""
        begin = self._at
        if sign == "[":
            self._at = self._end_of_class()
        elif sign == "\\":
            self._at += 2
            escaped = self._text[begin + 1 : self._at]
            if (escaped.isalnum() and escaped not in _CLASSES) or not escaped.isascii() or not escaped:
                raise ValueError(f"'\\{escaped}' cannot be used")
        elif sign in "^$*+?{":
            raise ValueError(f"{sign!r} cannot stand here")
        else:
            self._at += 1
        return self._text[begin : self._at]

    def _end_of_class(self) -> int:
        at = self._at + 1 + self._text.startswith("^", self._at + 1)
        begin = at
        while (sign := self._text[at : at + 1]) != "]" or at == begin:
            if not sign:
                raise ValueError("a class of characters is not closed")
            at += 2 if sign == "\\" else 1
        inside = self._text[begin:at]
        if strange := [one for one in _STRANGE_IN_CLASS if one in inside.replace("\\[", "")]:
            raise ValueError(f"{strange[0]!r} cannot be used in a class of characters")
        return at + 1

    def _repeat(self) -> tuple[int, int]:
        bounds = _REPEATS.get(self._peek())
        if bounds is not None:
            self._at += 1
        elif found := _BOUNDS.match(self._text, self._at):
            bounds = self._counted(found)
            self._at = found.end()
        else:
            return 1, 1
        if self._peek() and self._peek() in "?*+{":
            raise ValueError(f"a repeat cannot be followed by {self._peek()!r}")
        return bounds

    def _counted(self, found: re.Match[str]) -> tuple[int, int]:
        least, comma, most = found.groups()
        if not least and not most:
            raise ValueError(f"{found[0]!r} does not say how often")
        low = int(least or 0)
        high = int(most) if most else MAX_VALUE if comma else low
        if low > high or high > MAX_VALUE:
            raise ValueError(f"{found[0]!r}: a value has at most {MAX_VALUE} characters")
        return low, high

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]


def _symbols(atom: str) -> Symbols:
    """The characters it stands for, as `re` itself says."""
    one = re.compile(atom, re.ASCII)
    found = {symbol for symbol in _ALPHABET if one.fullmatch(symbol)}
    return frozenset(found if atom.isascii() else {*found, _OTHER})


def _first(sequence: tuple[_Part, ...]) -> Symbols:
    begins: Symbols = frozenset({_END})
    for part in sequence:
        begins = begins - {_END} | part.first
        if _END not in part.first:
            break
    return begins


def _ways_of_branches(branches: tuple[tuple[_Part, ...], ...], follow: Symbols) -> int:
    """In how many ways, at most, the alternatives match what they match, when these symbols can come after them."""
    ways = [_ways(branch, follow) for branch in branches]
    begins = [_or(_first(branch), follow) for branch in branches]
    disjoint = sum(map(len, begins)) == len(frozenset().union(*begins))
    return max(ways) if disjoint else min(sum(ways), MAX_WAYS + 1)


def _ways(sequence: tuple[_Part, ...], follow: Symbols) -> int:
    ways = 1
    for part in reversed(sequence):
        ways = min(ways * _ways_of_part(part, follow), MAX_WAYS + 1)
        follow = _or(part.first, follow)
    return ways


def _ways_of_part(part: _Part, follow: Symbols) -> int:
    begins = part.first - {_END}
    inside = 1
    if part.branches:
        if part.most > 1 and any(_END in _first(branch) for branch in part.branches):
            return MAX_WAYS + 1  # a repeat of nothing has no end
        inside = _ways_of_branches(part.branches, follow | begins if part.most > 1 else follow)
    if part.least == part.most or not begins & follow:
        return _power(inside, part.most)  # the next character says whether to go on
    return min(sum(_power(inside, times) for times in range(part.least, part.most + 1)), MAX_WAYS + 1)


def _power(ways: int, times: int) -> int:
    return 1 if ways == 1 else MAX_WAYS + 1 if times > 12 else min(ways**times, MAX_WAYS + 1)


def _or(begins: Symbols, follow: Symbols) -> Symbols:
    """What can come first: of something that may be nothing, also what follows it."""
    return begins - {_END} | follow if _END in begins else begins

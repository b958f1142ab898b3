"""Patterns of payees' fields: what is refused with a sentence, and that what is not is quick on every value."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.pattern import MAX_VALUE, PatternRefused, check_pattern
from schemas.payee import SubscriberField

USEFUL = [
    r"\d{10}",
    r"^\d{10}$",
    r"9\d{9}",
    r"\+7\d{10}|8\d{10}",
    r"[A-Z]{2}-\d+",
    r"[А-Я]{2}\d{6}",
    r"[\w.+-]+@[\w-]+\.[\w.-]+",
    r"\d{4}(?:-\d{4})*",
    r"(?:\d{1,3}\.){3}\d{1,3}",
    r"(GB|FR)\d{2}( ?[A-Z0-9]{4})+",
    r"[^@\]]+",
    r".*",
]

TOO_MANY_WAYS = "ways"
REFUSED = [
    (r"(a+)+", TOO_MANY_WAYS),
    (r"(a+)+$", TOO_MANY_WAYS),
    (r"(\w*)*", TOO_MANY_WAYS),
    (r"(a|a)*b", TOO_MANY_WAYS),
    (r"(a|ab|b)*c", TOO_MANY_WAYS),
    (r"\w*\w*\w*\w*!", TOO_MANY_WAYS),
    (r"(?:\w{1,5}-?){1,8}", TOO_MANY_WAYS),
    (r"(?:x?)*", TOO_MANY_WAYS),
    (r"\d{1,65}", "at most 64 characters"),
    (r"\d{2,1}", "{2,1}"),
    (r"(\d)\1", "'\\1' cannot be used"),
    (r"\bx", "'\\b' cannot be used"),
    (r"(?=a)b", "only '(?:'"),
    (r"(?i)b", "only '(?:'"),
    (r"a+?", "followed by '?'"),
    (r"a++", "followed by '+'"),
    (r"a{2}{2}", "followed by '{'"),
    (r"a$b", "'$' cannot stand here"),
    (r"*a", "'*' cannot stand here"),
    (r"a{", "'{' cannot stand here"),
    (r"a{,}", "does not say how often"),
    (r"[a", "a class of characters is not closed"),
    (r"[[a]]", "'[' cannot be used"),
    (r"[z-a]", "bad character range"),
    (r"(a", "a group is not closed"),
    (r"a)", "without its beginning"),
    ("a\\", "cannot be used"),
]


@pytest.mark.parametrize("pattern", USEFUL)
def test_what_fields_need_is_taken(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(("pattern", "why"), REFUSED)
def test_what_could_stall_or_means_something_else_is_refused_with_a_sentence(pattern: str, why: str) -> None:
    with pytest.raises(PatternRefused) as refused:
        check_pattern(pattern)
    assert why in str(refused.value)


def test_a_payee_cannot_be_set_with_such_a_pattern() -> None:
    with pytest.raises(ValidationError, match="in more than 5,000 ways"):
        SubscriberField(name="phone", title="Phone", pattern=r"(\d+)+")


atoms = st.sampled_from(["a", "b", "[ab]", r"\w", ".", "[^a]", "-"])
repeats = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,3}", "{0,9}", "{2,}"])
patterns = st.recursive(
    st.builds("{}{}".format, atoms, repeats),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.builds("({}){}".format, inner, repeats),
        st.builds("({}|{}){}".format, inner, inner, repeats),
    ),
    max_leaves=8,
)
# What makes a matcher go back: one letter again and again, and an end that does not fit.
values = st.one_of(
    st.builds(lambda run, end: (run * MAX_VALUE)[: MAX_VALUE - 1] + end, st.sampled_from(["a", "b", "ab", "aab"]),
              st.sampled_from(["a", "!", "-", "Ж"])),
    st.text("ab-", max_size=MAX_VALUE),
)  # fmt: skip


@given(pattern=patterns, value=values)
def test_what_is_taken_is_quick_on_every_value(pattern: str, value: str) -> None:
    try:
        check_pattern(pattern)
    except PatternRefused:
        return
    began = time.process_time()
    re.fullmatch(pattern, value, re.ASCII)
    assert time.process_time() - began < 0.2

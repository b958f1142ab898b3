"""The machine's rules about charts of accounts, and that whatever moved has a place in one."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from schemas.account_kinds import ACCOUNT_KINDS, kind_of
from schemas.entry import Entry
from tests.builders_charts import a_chart, numbers, set_chart


def every_account_has_a_kind(log: Iterable[Entry]) -> None:
    """Else no chart could map it, and its window could not be posted."""
    assert {kind_of(leg.account) for entry in log for leg in entry.legs} <= ACCOUNT_KINDS.keys()


class ChartRules:
    """A chart's version only grows, and every account has a number of its format."""

    newest_chart = 0

    @rule(version=st.integers(1, 6), fault=st.sampled_from([{}, {}, {"hold": ""}, {"agnet": "1" * 20}, {"bank": "1"}]))
    def set_a_chart(self, version, fault) -> None:
        command = set_chart(a_chart(version, accounts={"RUB": numbers(**fault)}), self.new_id())
        is_taken = version > self.newest_chart and not fault
        self.instructed(command, "DIRECTORY_SET" if is_taken else "REFUSED")
        self.newest_chart = version if is_taken else self.newest_chart

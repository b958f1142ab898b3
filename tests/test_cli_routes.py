"""Routes as people write them, and as they are explained."""

from __future__ import annotations

import pytest

from console.errors import BadInput
from console.payee_routes import explain, route_of
from schemas.route import Route
from tests.builders import AT
from tests.builders_routes import a_payee_with, a_route

WORKING = ("mon", "tue", "wed", "thu", "fri")


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("bank", Route(gateway="bank")),
        ("bank:3", Route(gateway="bank", priority=3)),
        ("bank:1:70", Route(gateway="bank", share=70)),
        ("bank:1:1:mon-fri:09:00-18:00", Route(gateway="bank", weekdays=WORKING, begins="09:00", ends="18:00")),
        ("bank:2:5:*:22:00-06:00", Route(gateway="bank", priority=2, share=5, begins="22:00", ends="06:00")),
        ("bank:1:1:sat-mon,wed:00:00-24:00", Route(gateway="bank", weekdays=("sat", "sun", "mon", "wed"))),
    ],
)
def test_a_route_is_read(text: str, route: Route) -> None:
    assert route_of(text) == route


@pytest.mark.parametrize(
    "text",
    ["", ":1", "bank:x", "bank:0", "bank:1:0", "bank:1:-1", "bank:1:1:mon", "bank:1:1:mon:0900-1800", "bank:99999",
     "bank:1:1:day:09:00-18:00", "bank:1:1:mon:09:00", "bank:1:1:mon:25:00-26:00", "a bank"],
)  # fmt: skip
def test_what_is_no_route_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(BadInput, match=r"is not GATEWAY\[:PRIORITY"):
        route_of(text)


def test_what_each_route_takes_is_said_in_percent_of_the_first_priority() -> None:
    payee = a_payee_with(a_route("late", 2), a_route("a", share=3), a_route("b"), a_route("shut", weekdays=("mon",)))
    assert [(one["gateway"], one["takes_pct"]) for one in explain(payee, AT)] == [
        ("a", 75), ("b", 25), ("shut", None), ("late", 0),
    ]  # fmt: skip

"""Which of its payee's gateways a payment goes through: by priority, share, time of the week and health. Pure.

The choice is made once, at receipt, and is a fact of the payment: where to go next if this one cannot be asked. It can
be worked out again by anybody: no random is drawn, the payment's own id says which share it falls into.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from schemas.payee import Payee
from schemas.route import Route, draw
from schemas.week import week_minute
from streams.ledger.commands import Place


def routes_of(command: Place, backlog: Mapping[str, int], at: int) -> tuple[str, ...]:
    """The gateways for an order received at that time (ms UTC), in the order in which to ask them; empty: no payee.

    A gateway that too many wait for already is as little use as one that does not work.
    """
    if command.payee is None:
        return ()
    if command.payee.served != "online":
        return (command.payee.gateway,)
    full = {gateway for gateway, waiting in backlog.items() if waiting >= command.backlog_max}
    return choose(command.payee, command.order.id, at, command.unwell | full)


def choose(payee: Payee, payment: str, at: int, unwell: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The payee's gateways for this payment, each once: the well ones first, by priority, by share within it."""
    if not payee.routes:
        return (payee.gateway,)
    minute = week_minute(at, payee.time_zone)
    taken = [route for route in payee.routes if route.is_open(minute)]
    if not taken:
        return (payee.gateway,)
    by_share = list(dict.fromkeys(_in_order(taken, payment)))
    return tuple(sorted(by_share, key=unwell.__contains__))  # a stable sort


def _in_order(routes: Sequence[Route], payment: str) -> Iterator[str]:
    for priority in sorted({route.priority for route in routes}):
        left = [route for route in routes if route.priority == priority]
        while left:
            drawn = _drawn(left, draw(payment, priority, len(left)))
            left.remove(drawn)
            yield drawn.gateway


def _drawn(routes: Sequence[Route], draw: int) -> Route:
    """The route into whose share the draw falls."""
    place = draw % sum(route.share for route in routes)
    for route in routes:
        place -= route.share
        if place < 0:
            return route
    raise AssertionError("shares are positive")

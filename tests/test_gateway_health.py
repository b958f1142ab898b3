"""`kassa gateway health` reads what workers say of their gateways."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from agents.breaker import Circuit
from agents.gateways.guard import Health
from agents.vitals import gateways
from console.gateway_health import Seen, seen_in


class Page(Collector):
    def collect(self):
        return gateways({
            "calm": Health(Circuit.CLOSED, 0, 2),
            "down": Health(Circuit.OPEN, 900, 0),
            "trying": Health(Circuit.HALF_OPEN, 0, 5),
            "plain": Health(None, 0, 1),
        })  # fmt: skip


REQUESTS = """
kassa_dispatch_queue_payments{gateway="down"} 7.0
kassa_gateway_requests_total{gateway="calm",step="check",verdict="CHECKED"} 3.0
kassa_gateway_requests_total{gateway="calm",step="pay",verdict="PAID"} 2.0
kassa_gateway_requests_total{gateway="calm",step="pay",verdict="UNCLEAR"} 1.0
kassa_gateway_requests_total{gateway="down",step="check",verdict="NOT_SENT"} 4.0
"""


def test_a_workers_page_tells_how_its_gateways_are() -> None:
    registry = CollectorRegistry()
    registry.register(Page())
    seen = seen_in(generate_latest(registry).decode() + REQUESTS)
    assert seen["calm"] == Seen("closed", 2, 0, {"CHECKED": 3, "PAID": 2, "UNCLEAR": 1})
    assert seen["calm"].answered == 5
    assert seen["down"] == Seen("open", 0, 7, {"NOT_SENT": 4})
    assert seen["trying"] == Seen("half-open", 5, 0, {})
    assert seen["plain"] == Seen("-", 1, 0, {})

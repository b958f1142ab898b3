"""Who decides without a signed message. No key id is spelled like these: those have a colon."""

from __future__ import annotations

DISPATCH = "dispatch"  # a gateway's answer
TIMER = "timer"  # a moment that has come
REGISTRY = "registry"  # what is served offline goes into a registry; one that is full is cut
FUNDS = "funds"  # money that came for what waited for it

UNSIGNED = frozenset({DISPATCH, FUNDS, REGISTRY, TIMER})

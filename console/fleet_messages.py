"""The messages of a simulated fleet, from a seed: good payments, and every kind of bad input with what must become of it.

Pure: no clock, no I/O. The same world, seed and share of bad input give the same messages (with Ed25519 keys to the
byte: ES256 signatures are random).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

import orjson

from console import fleet_forgeries as forgeries
from console.fleet_kinds import Expected, Kind, accepted, declined, duplicate, quarantined
from console.fleet_world import FleetPayee, FleetTerminal, Json, Orders, World

"""Where each command of `kassa` is: a command is run without importing the modules of all the others."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

# Module of this package -> the commands its `register(app: typer.Typer) -> None` adds, in the order `kassa --help` has.
PARTS: dict[str, tuple[str, ...]] = {
    "serving": ("up", "demo", "kafka"),
    "audit": ("audit",),
    "doctor": ("doctor",),
    "running": ("init", "worker", "sink", "notify"),
    "agents": ("agent",),
    "deposits": ("deposits",),
    "terminals": ("terminal",),
    "payees": ("payee",),
    "gateways": ("gateway",),
    "tariffs": ("tariff",),
    "operators": ("operator",),
    "paying": ("pay",),
    "payments": ("payment",),
    "manual": ("manual",),
    "change": ("change",),
    "registries": ("registry",),
    "alerts": ("alerts", "deliveries"),
    "contacts": ("contact",),
    "fleet": ("fleet",),
    "replaying": ("replay-rejects",),
    "rebuilding": ("rebuild-warehouse",),
    "schedules": ("schedule",),
    "windows": ("window",),
    "charts": ("chart",),
    "clearing": ("clearing",),
    "postings": ("postings",),
    "cash": ("cash",),
    "plans": ("plan",),
    "corrections": ("correct",),
    "registers": ("register",),
    "checking": ("check",),
    "subscribers": ("subscribers",),
    "vouchers": ("voucher",),
    "partners": ("partner",),
}


def part_of(command: str) -> str | None:
    """The module that has this command; None: no module has."""
    return next((part for part, commands in PARTS.items() if command in commands), None)


def module(part: str) -> ModuleType:
    return import_module(f"console.{part}")

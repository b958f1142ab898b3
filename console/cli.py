"""The `kassa` command: one module a subject, each with `register(app)`, and the one place where errors become words."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache

import typer
from typer.main import get_command

from console import (
    agents,
    alerts,
    audit,
    cash,
    change,
    charts,
    checking,
    clearing,
    contacts,
    corrections,
    deposits,
    doctor,
    fleet,
    gateways,
    manual,
    operators,
    partners,
    payees,
    paying,
    payments,
    plans,
    postings,
    rebuilding,
    registers,
    registries,
    replaying,
    running,
    schedules,
    serving,
    subscribers,
    tariffs,
    terminals,
    vouchers,
    windows,
)
from console.context import load_settings, misspelt_variables
from console.errors import KassaError
from console.explain import explain
from console.output import fail, note
from streams.logs import configure_logs

# A further subject: its module's name here, and in it a function `register(app: typer.Typer) -> None`.
PARTS = (
    serving, audit, doctor, running, agents, deposits, terminals, payees, gateways, tariffs, operators, paying,
    payments, manual, change, registries, alerts, contacts, fleet, replaying, rebuilding,
    schedules, windows, charts, clearing, postings, cash, plans, corrections, registers,
    checking, subscribers, vouchers, partners,
)  # fmt: skip


def create_app() -> typer.Typer:
    """The whole command line, as typer sees it."""
    made = typer.Typer(
        name="kassa",
        help="Kassa: a payment acceptance server for networks of terminals.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        rich_markup_mode="rich",
    )
    for part in PARTS:
        part.register(made)
    return made


app = create_app()

# Click's commands are built from typer's at every call otherwise: 80 ms for the hundred there are.
_command = cache(get_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 done, 1 refused, 2 asked wrongly or not possible now, 3 a payment's outcome is not clear yet, 130 Ctrl-C.
    """
    configure_logs("warning")  # a command speaks for itself; worker and sink set their own level
    for misspelt in misspelt_variables():
        note(misspelt)
    try:
        code = _command(app).main(args=arguments, prog_name="kassa", standalone_mode=False)
    except typer.TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        # Whoever read our output has enough of it (`kassa agent list | head`): nothing is left to say, nor to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        words = explain(error, _broker())
        if words is None:
            raise
        fail(words)
        return error.exit_code if isinstance(error, KassaError) else 2
    return code if isinstance(code, int) else 0


def _usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    said = " ".join(error.format_message().split())
    if said:  # nothing was asked for and so help is shown: that is all there is to say
        fail(said + (f" (see `{context.command_path} --help`)" if context is not None else ""))
    return 2


def _broker() -> str:
    try:
        return load_settings().kafka
    except KassaError:
        return ""

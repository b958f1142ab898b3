"""The `kassa` command: one module a subject, each with `register(app)`, and the one place where errors become words."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer
from typer.main import get_command

from console import agents, gateways, operators, payees, paying, running, tariffs, terminals
from console.context import load_settings, misspelt_variables
from console.errors import KassaError
from console.explain import explain
from console.output import fail, note

# A further subject: its module's name here, and in it a function `register(app: typer.Typer) -> None`.
PARTS = (running, agents, terminals, payees, gateways, tariffs, operators, paying)


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code. 0 done, 1 refused, 2 asked wrongly or not possible now, 3 not final yet, 130 Ctrl-C."""
    for misspelt in misspelt_variables():
        note(misspelt)
    try:
        code = get_command(app).main(args=arguments, prog_name="kassa", standalone_mode=False)
    except typer.TyperException as error:
        return _usage(error)
    except KeyboardInterrupt:
        return 130
    except typer.Abort:
        return 130
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
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
    else:
        fail(said + (f" (see `{context.command_path} --help`)" if context is not None else ""))
    return 2


def _broker() -> str:
    try:
        return load_settings().kafka
    except KassaError:
        return ""

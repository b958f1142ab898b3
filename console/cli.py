"""The `kassa` command: of its parts the one that is asked for, and the one place where errors become words."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache

import typer
from typer.main import get_command

from console.context import load_settings, misspelt_variables
from console.errors import KassaError
from console.explain import explain
from console.output import fail, note
from console.parts import PARTS, module, part_of
from streams.logs import configure_logs

_BELOW_ZERO = re.compile(r"No such option: -\d")
_MAY_BE_EMPTY = ("alerts", "--agent")  # the operator's own


def create_app(*parts: str) -> typer.Typer:
    """The command line with these parts of it, or the whole of it."""
    made = typer.Typer(
        name="kassa",
        help="Kassa: a payment acceptance server for networks of terminals.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        rich_markup_mode="rich",
    )
    made.callback()(_nothing)
    for part in parts or PARTS:
        module(part).register(made)
    return made


def _nothing() -> None:
    """With a callback a command line of one command is still a group: `kassa audit`, not `kassa`."""


@cache
def _command_line(part: str | None) -> Callable[..., object]:
    """The one part that is asked for, or all of them: for help, and for what is misspelt. Typer takes 80 ms for all."""
    return get_command(create_app() if part is None else create_app(part)).main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 done, 1 refused, 2 asked wrongly or not possible now, 3 a payment's outcome is not clear yet, 130 Ctrl-C.
    """
    configure_logs("warning")  # a command speaks for itself; worker and sink set their own level
    for misspelt in misspelt_variables():
        note(misspelt)
    given = sys.argv[1:] if arguments is None else arguments
    if (wrong := _says_nothing(given)) is not None:
        fail(wrong)
        return 2
    try:
        part = part_of(given[0]) if given else None
        code = _command_line(part)(args=list(given), prog_name="kassa", standalone_mode=False)
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


def _says_nothing(given: Sequence[str]) -> str | None:
    """The sentence about the first argument that is empty, or no text; None: there is no such.

    An empty one is --id "$ID" of a script that has no ID: it must not mean that none was given.
    """
    for place, text in enumerate(given):
        name, equals, value = text.partition("=") if text.startswith("--") else ("", "=", text)
        before = given[place - 1] if place and given[place - 1].startswith("--") else f"argument {place + 1}"
        if equals and not value.strip() and (given[0], before) != _MAY_BE_EMPTY:
            return f"{name or before} is empty: leave it out, or say what it is"
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):  # as Python reads such bytes
            return f"{name or before} is no UTF-8 text"
    return None


def _usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    said = _BELOW_ZERO.sub(r"\g<0>; no amount is below zero", " ".join(error.format_message().split()))
    if said:  # nothing was asked for and so help is shown: that is all there is to say
        fail(said + (f" (see `{context.command_path} --help`)" if context is not None else ""))
    return 2


def _broker() -> str:
    try:
        return load_settings().kafka
    except KassaError:
        return ""

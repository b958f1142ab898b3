"""Asking before something that cannot be taken back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from console.errors import BadInput

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def confirm(question: str, yes: bool) -> None:
    """Returns when it was meant. Raises typer.Abort at a no, BadInput where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput(f"{question}: nobody is there to ask: say --yes")
    typer.confirm(question + "?", abort=True, err=True)

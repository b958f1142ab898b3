"""`kassa postings`: a closed window of a tree as a bank's postings."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from console.errors import Differs
from console.output import major, say
from console.warehouse import opened
from console.windows import Number, TreeOption

if TYPE_CHECKING:
    from sinks.postings.batch import Batch

_IN_MEMORY = 16 * 1024 * 1024


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Bank postings: export.", no_args_is_help=True)
    group.callback()(_postings)  # or typer takes a group of one command for that command
    group.command("export")(export)
    app.add_typer(group, name="postings")


def _postings() -> None:
    """Bank postings: export."""


def export(
    tree: TreeOption,
    number: Number,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to put it. None: to standard output.")
    ] = None,
) -> None:
    """Every debit-credit pair of a closed window of a tree, as CSV. The same window is the same bytes for ever.

    Exit code 1: the legs in the warehouse are not those the closing fixed; then nothing is written.
    """
    from sinks.postings.batch import batch_of
    from sinks.postings.errors import PostingsDiffer
    from sinks.whole_file import whole_file

    with opened() as client:
        batch = batch_of(client, tree, number)
        try:
            if out is not None:
                with whole_file(out) as file:
                    write(batch, file)
            else:
                with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
                    write(batch, file)
                    file.seek(0)
                    shutil.copyfileobj(file, sys.stdout.buffer)
        except PostingsDiffer as error:
            raise Differs(str(error)) from None
    if out is not None:
        say(f"{counted(batch)} by version {batch.chart.version} of the chart: {out}")


def write(batch: Batch, file: BinaryIO | tempfile.SpooledTemporaryFile[bytes]) -> None:
    """Raises PostingsDiffer, then what was written must not be used."""
    for line in batch.lines():
        file.write(line.encode())


def counted(batch: Batch) -> str:
    """How many postings were written and of how much, by currency."""
    return ", ".join(
        f"{totals.count:,} postings of {major(totals.amount, currency)} {currency}"
        for currency, totals in sorted(batch.totals.items())
    )

"""`kassa register`: a partner's file of payments becomes payments, each row once by its number."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from console.client import Client
from console.context import broker_settings
from console.errors import BadInput, Differs, NotFinal
from console.lookup import find_terminal, payees, tariffs
from console.options import NoWait, Wait
from console.output import major, rows, say
from console.register_rows import OrderedRow, Reading, Register
from console.register_upload import Outcome, Upload
from console.table_files.cells import guarded
from console.table_files.text_file import ENCODINGS
from schemas.payment import PaymentOrder
from sinks.whole_file import whole_file
from streams.keyring import load_terminal_key

_HEADER = ("line", "payment", "state", "code", "reason", "txn")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Registers: a partner's file of payments is paid.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("upload")(upload)
    app.add_typer(group, name="register")


def upload(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=".csv, .xlsx, .dbf, or .tsv, .txt for the TAB registry.")
    ],
    terminal: Annotated[
        str, typer.Option(metavar="TERMINAL", help="The partner's terminal; its key is on this machine.")
    ],
    payee: Annotated[str | None, typer.Option(metavar="PAYEE", help="Of rows that name no payee.")] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Of the text: {', '.join(ENCODINGS)}. Default: utf-8.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where each line's outcome goes. Default: below var/uploads.")
    ] = None,
    in_flight: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Rows under way at once.")] = 500,
    wait: Wait = 30,
    no_wait: NoWait = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look through the file.")] = False,
) -> None:
    """Pay the rows of a register. What is paid already stays as it is, so a file may be uploaded again.

    Exit code 0: every row is paid (with --no-wait, or by registry: held); 1: some are refused or cannot be used; 3: of
    some it is not clear yet.
    """
    settings = broker_settings()
    key = load_terminal_key(settings, terminal)
    record = find_terminal(settings, terminal)
    source = Register(file, record, payees(settings), tariffs(settings), payee, encoding)
    before = _stamp(file)
    looked = _looked_through(source)
    if dry_run:
        _bad_rows(looked)
        say(f"would pay {_sums(looked)} in {looked.good:,} rows; {looked.errors.count:,} cannot be used")
        return
    path = report or settings.dir / "uploads" / terminal / f"{file.name}.report.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with Client(settings, [terminal], many=True) as client, _reporting(path) as told:
        reading = source.read()
        done = Upload(client, record.tree, key, in_flight, wait, _held_will_do(source, no_wait), told.outcome)
        done.run(_unchanged(reading, told, file, before))
    _bad_rows(looked)
    rows(("state", "rows"), sorted(done.states.items()), right=("rows",))
    say(f"report: {path}")
    _judge(done, looked)


def _held_will_do(source: Register, no_wait: bool) -> Callable[[PaymentOrder], bool]:
    """A payment by registry is held until the registry is acknowledged: nobody waits for that here."""
    offline = {payee.id for payee in source.payees.values() if payee.served == "offline"}
    return lambda order: no_wait or order.payee in offline


def _looked_through(source: Register) -> Reading:
    """The whole file once, before anything is sent. Raises BadInput when it is unreadable or its totals are wrong."""
    reading = source.read()
    for _ in reading:
        pass
    reading.check_totals()
    return reading


def _unchanged(reading: Reading, told: _Report, file: Path, before: tuple[int, ...]) -> Iterator[OrderedRow]:
    """The rows once more, with the bad ones put on the report. Raises BadInput when it is another file by now.

    It is opened again: whether it is the one that was looked through is asked before the first row is sent, too.
    """
    for number, row in enumerate(reading):
        if not number:
            _same(file, before)
        told.bad_rows(reading)
        yield row
    told.bad_rows(reading)
    _same(file, before)


def _same(file: Path, before: tuple[int, ...]) -> None:
    """Raises BadInput."""
    if _stamp(file) != before:
        raise BadInput(f"{file} was changed while it was uploaded: upload it again")


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from None
    return found.st_ino, found.st_size, found.st_mtime_ns


class _Report:
    """A line an outcome; rows that cannot be used have state BAD."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text, delimiter=";", lineterminator="\r\n")
        self._writer.writerow(_HEADER)

    def outcome(self, one: Outcome) -> None:
        self._writer.writerow((one.line, one.payment, one.state, one.code, guarded(one.reason), one.txn or ""))

    def bad_rows(self, reading: Reading) -> None:
        for error in reading.errors.take():
            self._writer.writerow((error.line, "", "BAD", "", guarded(error.words), ""))

    def close(self) -> None:
        self._text.flush()
        self._text.detach()


@contextmanager
def _reporting(path: Path) -> Iterator[_Report]:
    with whole_file(path) as file:
        report = _Report(file)
        yield report
        report.close()


def _bad_rows(reading: Reading) -> None:
    for line in reading.errors.shown():
        say(line)


def _sums(reading: Reading) -> str:
    sums = reading.payable
    return ", ".join(f"{major(minor, currency)} {currency}" for currency, minor in sorted(sums.items())) or "nothing"


def _judge(done: Upload, looked: Reading) -> None:
    """Raises NotFinal, Differs."""
    count = looked.table.count
    if done.unclear:
        raise NotFinal(f"of {done.unclear:,} of {count:,} rows it is not clear yet what becomes: upload the file again")
    if done.refused or looked.errors.count:
        raise Differs(f"{done.refused:,} of {count:,} rows were refused, {looked.errors.count:,} cannot be used")

"""`kassa subscribers`: a payee's own list of its subscribers, loaded whole or not at all, and written back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from console.client import Client
from console.context import broker_settings
from console.errors import BadInput, NoAnswer, NotFound, Refused
from console.instants import instant
from console.lookup import payees, subscriber_lists
from console.numbers import fresh_id
from console.options import AsJson, Operator, TimeOut
from console.output import listing, major, say
from console.requests import command_request
from console.signing import now, operator_key
from console.subscriber_export import export_rows, header_of
from console.subscriber_rows import NUMBER, OPTIONAL, SubscriberRows, check_columns
from console.table_files.reading import read_table
from console.table_files.writing import write_table
from schemas.command import SetSubscribers
from schemas.payee import Payee
from schemas.reply import Reply
from schemas.subscribers import MAX_ROWS, SubscriberList
from streams.settings import Settings
from streams.subscriber_lists import Upload, forget
from streams.taken import since

PayeeArgument = Annotated[str, typer.Argument(metavar="PAYEE", help="Whose subscribers they are.")]


class FileFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    DBF = "dbf"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Payees' own lists of subscribers: load, list, export.", no_args_is_help=True)
    group.command("load")(load)
    group.command("list")(list_lists)
    group.command("export")(export)
    app.add_typer(group, name="subscribers")


def load(
    payee: PayeeArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, XLSX or DBF, by its name's ending.")],
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT=NAME", help="Which column holds number, name, debt or denominations."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a text or DBF file: utf-8, cp1251 or cp866.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="As of when its debts are, such as 2026-11-24T00:00+03:00. Default: now."),
    ] = None,
    operator: Operator = None,
    time_out: TimeOut = 30,
) -> None:
    """Replace a payee's list by this file's. A single bad row, and the list of before stands.

    Columns number (the payee's first field), name, debt, denominations; any further one is shown to payers.
    """
    settings = broker_settings()
    on_file = _payee(settings, payee)
    began = time.monotonic()
    moment = instant(as_of) if as_of is not None else None
    made = load_list(settings, payee, file, _names(column or []), encoding, moment, operator, time_out)
    seconds = time.monotonic() - began
    say(f"list of payee {payee} is in force: {made.rows:,} subscribers of {file.name}, in {seconds:.1f} s")
    if on_file.checked_at != "subscribers":
        say(f"payee {payee} is still checked at its gateway: `kassa payee add … --checked-at subscribers` changes that")


def list_lists(as_json: AsJson = False) -> None:
    """The lists in force."""
    found = subscriber_lists(broker_settings()).values()
    lines = [(one.payee, one.rows, f"{one.as_of:%Y-%m-%d %H:%M:%S}", one.file, one.upload) for one in found]
    listing(found, as_json, ("payee", "subscribers", "as of, UTC", "file", "upload"), lines, right=("subscribers",))


def export(
    payee: PayeeArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    file_format: Annotated[FileFormat, typer.Option("--format", help="What to write.")] = FileFormat.CSV,
) -> None:
    """Write a payee's list back: what was paid since, by whom, and what is left of each debt."""
    settings = broker_settings()
    on_file = _payee(settings, payee)
    record = subscriber_lists(settings).get(payee)
    if record is None:
        raise NotFound(f"payee {payee!r} has no list: `kassa subscribers load` brings one")
    paid = since(settings, record).by_number()
    labels = header_of(settings, record)
    written = write_table(file, file_format.value, labels.names, export_rows(settings, record, paid, labels, on_file))
    total = major(sum(one.paid for one in paid.values()), on_file.currency)
    under_way = major(sum(one.under_way for one in paid.values()), on_file.currency)
    more = written - record.rows
    strangers = f", {more:,} of them not in the list" if more else ""
    say(
        f"{file}: {written:,} subscribers{strangers}; {len(paid):,} paid {total} {on_file.currency} "
        f"since {record.as_of:%Y-%m-%d %H:%M:%S} UTC, and {under_way} is under way"
    )


def load_list(
    settings: Settings,
    payee_id: str,
    file: Path,
    names: Mapping[str, str] = MappingProxyType({}),
    encoding: str | None = None,
    as_of: datetime | None = None,
    operator: str | None = None,
    time_out: float = 30,
) -> SubscriberList:
    """Put the file's subscribers in force. names: of its columns, by what they hold, in lower case.

    Raises NotFound, BadInput with nothing sent, Refused, NoAnswer, KafkaException.
    """
    payee, key = _payee(settings, payee_id), operator_key(settings, operator)
    before = subscriber_lists(settings).get(payee.id)
    table = read_table(
        file,
        columns=(names.get(NUMBER, NUMBER),),
        optional=tuple(names.get(what, what) for what in OPTIONAL),
        further="kept",
        encoding=encoding,
        max_rows=MAX_ROWS,
    )
    check_columns(table.further)
    with Client(settings, [key.kid.partition(":")[0]]) as client, Upload(settings, payee.id, fresh_id()) as upload:
        for line in SubscriberRows(table, payee, names):
            if not table.errors:
                upload.add(line)
        table.errors.refuse("nothing was loaded")
        if not upload.rows:
            raise BadInput(f"{file}: there are no rows; a payee without subscribers has no list")
        made = upload.finished(file.name[-200:]).model_copy(update={"as_of": as_of})
        command = SetSubscribers(id=fresh_id(), issued_at=now(), list=made)
        request = command_request(command, key)
        upload.put_in_force(str(request.key), request.value)
        reply = _reply(client, command.id, time_out)
    if reply.state != "DONE":
        forget(settings, made)
        raise Refused(f"the list of payee {payee.id}", reply.code, reply.reason)
    if before is not None:
        forget(settings, before)
    return made


def _reply(client: Client, command: str, time_out: float) -> Reply:
    deadline = time.monotonic() + time_out
    while (left := deadline - time.monotonic()) > 0:
        reply = client.poll(min(left, 0.2))
        if reply is not None and reply.id == command:
            return reply
    raise NoAnswer(
        f"the list is in Kafka and no worker answered {command} in {time_out:g} s: it is in force once one does"
    )


def _payee(settings: Settings, payee: str) -> Payee:
    found = payees(settings).get(payee)
    if found is None:
        raise NotFound(f"there is no payee {payee!r}: `kassa payee list` shows all")
    return found


def _names(columns: list[str]) -> dict[str, str]:
    """What -> the name of the file's column, in lower case as tables know it."""
    named = dict(_named(columns))
    if unknown := named.keys() - {NUMBER, *OPTIONAL}:
        raise BadInput(f"--column {min(unknown)}: only {', '.join((NUMBER, *OPTIONAL))} can be said")
    return named


def _named(columns: list[str]) -> Iterator[tuple[str, str]]:
    for text in columns:
        what, equals, name = text.partition("=")
        if not (what and equals and name):
            raise BadInput(f"--column {text!r} is not WHAT=NAME, such as number=ACCOUNT")
        yield what, name.casefold()

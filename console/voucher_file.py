"""A supplier's file of PINs: all of it is looked at before anything of it is sent. No PIN is ever in a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from console.errors import BadInput
from console.output import say
from console.table_files.reading import read_table
from schemas.voucher import Serial
from schemas.voucher_command import COUNT_MAX

_SERIAL: TypeAdapter[str] = TypeAdapter(Serial)
_LONGEST = 64
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Pin:
    """One voucher as its supplier sent it."""

    serial: str
    pin: str = field(repr=False)


def read_pins(path: Path, encoding: str | None = None) -> list[Pin]:
    """Columns serial and pin; others are passed over. Raises BadInput after printing the lines at fault."""
    table = read_table(path, columns=("serial", "pin"), further=True, encoding=encoding, max_rows=COUNT_MAX)
    found: list[Pin] = []
    lines: dict[str, int] = {}
    wrong: list[str] = []
    for row in table:
        serial, pin = row.cells["serial"], row.cells["pin"]
        why = _wrong(serial, pin)
        if why is None and serial in lines:
            why = f"column serial: {serial} stands in line {lines[serial]} already"
        if why is not None:
            wrong.append(f"line {row.line}, {why}")
            continue
        lines[serial] = row.line
        found.append(Pin(serial, pin))
    # What is wrong with a cell may be said with what is in it: not of a PIN's.
    wrong += [
        f"line {one.line}, column pin: cannot be read" if one.column == "pin" else str(one) for one in table.errors.kept
    ]
    if wrong:
        for line in wrong[:_SHOWN]:
            say(line)
        if len(wrong) > _SHOWN:
            say(f"and {len(wrong) - _SHOWN:,} more")
        raise BadInput(f"{path} has {len(wrong):,} errors: nothing was loaded")
    if not found:
        raise BadInput(f"{path} has no PINs")
    return found


def _wrong(serial: str, pin: str) -> str | None:
    try:
        _SERIAL.validate_python(serial)
    except ValidationError:
        return "column serial: must be letters, digits and '-', at most 40"
    if not 0 < len(pin) <= _LONGEST or not pin.isprintable() or not pin.isascii():
        return f"column pin: must be 1 to {_LONGEST} printable ASCII characters"
    return None

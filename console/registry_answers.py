"""A payee's answer file: which lines of a registry it accepts and which it rejects. All of it is right, or none of it.

csv, xlsx: a header with txn_id, amount, answer and perhaps reason, in any order, further columns passed over; a line of
totals may be last. tsv: these four without a header, and the line of totals that ends the field's registries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import orjson

from console.amounts import minor_units
from console.errors import BadInput
from console.table_files.lines import Row, quoted
from console.table_files.reading import Table, read_table
from schemas.money import Money, MoneyError
from schemas.registry_command import ANSWERS_MAX, AnswerOfLine, AnswerRegistry
from sinks.registries.numbered import NumberedLine, NumberedRegistry

COLUMNS = ("txn_id", "amount", "answer")
TAB_COLUMNS = (*COLUMNS, "reason")
_TOTAL = "Total:"
_WORDS = {"accepted": True, "rejected": False}
_REASON_MOST = 200
# A command is at most 16 KiB when it is signed and in base64.
_CHUNK_BYTES = 8_000


def read_answers(
    path: Path, registry: NumberedRegistry, lines: Sequence[NumberedLine], encoding: str | None = None
) -> list[AnswerOfLine]:
    """What the file says, once all of it fits the registry's lines. Raises BadInput after naming those that do not."""
    is_tab = path.suffix.lower() in (".tsv", ".txt")
    table = read_table(
        path, columns=TAB_COLUMNS if is_tab else COLUMNS, optional=() if is_tab else ("reason",), further=not is_tab,
        header=not is_tab, total=_TOTAL, encoding=encoding,
    )  # fmt: skip
    known = {str(one.line.txn): one for one in lines}
    found: list[AnswerOfLine] = []
    seen: dict[str, int] = {}
    for row in table:
        said = _answer(table, row, known, seen)
        if said is not None:
            found.append(said)
    table.errors.refuse("nothing was answered")
    _check_totals(path, table, found, registry.cut.currency, must=is_tab)
    if not found:
        raise BadInput(f"{path} answers no line")
    return found


def commands(
    registry: NumberedRegistry, answers: Sequence[AnswerOfLine], issued_at: datetime
) -> Iterator[AnswerRegistry]:
    """The file as commands. Their ids follow from what is said, so the same file again is the same commands."""
    for chunk in _chunks(answers):
        said = orjson.dumps([registry.payee, registry.number, [one.model_dump() for one in chunk]])
        id = f"answer-{hashlib.blake2b(said, digest_size=16).hexdigest()}"
        yield AnswerRegistry(
            id=id, issued_at=issued_at, payee=registry.payee, number=registry.number, answers=tuple(chunk)
        )


def _answer(
    table: Table, row: Row, known: Mapping[str, NumberedLine], seen: dict[str, int]
) -> AnswerOfLine | None:  # fmt: skip
    """None, and an error of the line, when it does not fit."""
    cells, errors = row.cells, table.errors
    txn, word, reason = cells["txn_id"], cells["answer"].casefold(), cells.get("reason", "")
    line = known.get(txn)
    if line is None:
        errors.add(row.line, "txn_id", f"{quoted(txn)} is no line of this registry")
    elif (first := seen.setdefault(txn, row.line)) != row.line:
        errors.add(row.line, "txn_id", f"{txn} is answered on line {first} already")
    elif word not in _WORDS:
        errors.add(row.line, "answer", f"{quoted(cells['answer'])} is neither accepted nor rejected")
    elif len(reason) > _REASON_MOST:
        errors.add(row.line, "reason", f"has {len(reason)} characters; {_REASON_MOST} are kept")
    elif (wrong := _amount_wrong(cells["amount"], line)) is not None:
        errors.add(row.line, "amount", wrong)
    elif line.answer and line.answer != word:
        errors.add(row.line, "answer", f"{txn} was {line.answer} before, and cannot be {word} now")
    else:
        return AnswerOfLine(txn=line.line.txn, amount=line.line.amount, accepted=_WORDS[word], reason=reason)
    return None


def _amount_wrong(text: str, line: NumberedLine) -> str | None:
    try:
        amount = minor_units(text.replace(",", "."), line.line.currency)
    except MoneyError as error:
        return str(error)
    if amount == line.line.amount:
        return None
    return f"is {quoted(text)}; the registry has {Money(line.line.amount, line.line.currency)}"


def _check_totals(path: Path, table: Table, found: Sequence[AnswerOfLine], currency: str, *, must: bool) -> None:
    """Where there is a line of totals its count and sum are those of the lines; a TAB file must have one."""
    total = table.total
    if total is None:
        if must:
            raise BadInput(f"{path} has no line {_TOTAL!r}: it may be cut off")
        return
    cells = [cell for cell in total[1:] if cell]
    amount = str(Money(sum(one.amount for one in found), currency))
    right = sorted([str(len(found)), amount])
    if sorted(cell.replace(",", ".") for cell in cells) != right:
        raise BadInput(
            f"{path}: the totals say {quoted(' '.join(cells))}; the lines are {len(found)} and come to {amount}"
        )


def _chunks(answers: Sequence[AnswerOfLine]) -> Iterator[list[AnswerOfLine]]:
    chunk: list[AnswerOfLine] = []
    size = 0
    for one in answers:
        more = len(one.model_dump_json())
        if chunk and (size + more > _CHUNK_BYTES or len(chunk) >= ANSWERS_MAX):
            yield chunk
            chunk, size = [], 0
        chunk.append(one)
        size += more
    if chunk:
        yield chunk

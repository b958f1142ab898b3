"""A payee's answer file: taken in as a whole, or refused with the line, the column and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.errors import BadInput
from console.registry_answers import commands, read_answers
from schemas.command import COMMAND
from schemas.registry import RegistryCut, RegistryLine
from schemas.registry_command import AnswerOfLine
from sinks.registries.numbered import NumberedLine, NumberedRegistry, digest_of
from streams.registry_sheet import sheet
from tests.builders import AT, NOW
from tests.builders_offline import FIRST

A, B, C = FIRST, FIRST + 1, FIRST + 2


def lines(count: int = 3, answered: str = "") -> list[NumberedLine]:
    return [
        NumberedLine(
            n + 1, RegistryLine(FIRST + n, f"kiosk-1.{n + 1}", "A", {"phone": "9161234567"}, 95_000, "RUB", AT),
            answered if n == 0 else "", "",
        )
        for n in range(count)
    ]  # fmt: skip


def a_registry(found: list[NumberedLine]) -> NumberedRegistry:
    cut = RegistryCut(len(found), 95_000 * len(found), "RUB", digest_of(found), 0, AT, 0, "tsv", "UTC")
    return NumberedRegistry("water", 1, "delivered", cut, 0, 0, AT, "file water/water_000001.tsv", "")


def read(tmp_path: Path, name: str, content: str | bytes, answered: str = "", encoding: str | None = None):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = lines(answered=answered)
    return read_answers(path, a_registry(found), found, encoding)


HEAD = "txn_id;amount;answer;reason\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", f"{HEAD}{A};950.00;accepted;\n{B};950.00;rejected;No such contract\n"),
        ("a.csv", f"answer;reason;note;txn_id;amount\nAccepted;;x;{A};950,00\nREJECTED;No such contract;;{B};950.00\n"),
        ("a.csv", f"{HEAD}{A};950.00;accepted;\n{B};950.00;rejected;No such contract\nTotal:;1900.00;2;\n"),
        ("a.tsv", f"{A}\t950.00\taccepted\t\n{B}\t950.00\trejected\tNo such contract\nTotal:\t2\t1900.00\n"),
        ("a.xlsx", sheet([("txn_id", "amount", "answer", "reason"), (str(A), "950.00", "accepted", ""),
                          (str(B), "950.00", "rejected", "No such contract")], NOW)),
    ],
)  # fmt: skip
def test_each_form_says_which_lines_are_accepted_and_which_rejected(tmp_path: Path, name: str, content: str | bytes):
    found = read(tmp_path, name, content)
    assert [(one.txn, one.amount, one.accepted, one.reason) for one in found] == [
        (A, 95_000, True, ""),
        (B, 95_000, False, "No such contract"),
    ]


def test_a_reason_may_be_in_another_encoding_that_is_named(tmp_path: Path):
    content = f"{HEAD}{A};950.00;rejected;Нет договора\n".encode("cp1251")
    assert read(tmp_path, "a.csv", content, encoding="cp1251")[0].reason == "Нет договора"
    with pytest.raises(BadInput, match="encoding"):
        read(tmp_path, "a.csv", content)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (f"{A};950.01;accepted;\n", "line 2, column amount: is '950.01'; the registry has 950.00"),
        (f"{A};1e3;accepted;\n", "line 2, column amount: "),
        (f"{FIRST + 9};950.00;accepted;\n", "is no line of this registry"),
        ("'1;950.00;accepted;\n", "is no line of this registry"),
        ("=1+1;950.00;accepted;\n", "line 2, column txn_id: "),
        (f"{A};950.00;accepted;\n{A};950.00;rejected;\n", f"line 3, column txn_id: {A} is answered on line 2 already"),
        (f"{A};950.00;perhaps;\n", "line 2, column answer: 'perhaps' is neither accepted nor rejected"),
        (f"{A};950.00;rejected;{'x' * 201}\n", "line 2, column reason: has 201 characters; 200 are kept"),
        (f"{A};950.00;rejected;;\n", "line 2: has 5 cells; 4 are wanted"),
    ],
)
def test_a_line_that_does_not_fit_is_named_and_nothing_of_the_file_is_taken(
    tmp_path: Path, rows: str, line: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(BadInput, match=r"has 1 errors: nothing was answered"):
        read(tmp_path, "a.csv", f"{HEAD}{rows}{C};950.00;accepted;\n")
    assert line in capsys.readouterr().out


def test_a_line_that_was_answered_otherwise_before_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    content = f"{HEAD}{A};950.00;rejected;\n"
    with pytest.raises(BadInput):
        read(tmp_path, "a.csv", content, answered="accepted")
    assert f"line 2, column answer: {A} was accepted before, and cannot be rejected now" in capsys.readouterr().out
    assert len(read(tmp_path, "a.csv", content, answered="rejected")) == 1


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", f"{HEAD}{A};950.00;accepted;\nTotal:;950.00;2;\n", "the totals say '950.00 2'; the lines are 1"),
        ("a.csv", f"{HEAD}{A};950.00;accepted;\nTotal:;950.01;1;\n", "come to 950.00"),
        ("a.tsv", f"{A}\t950.00\taccepted\t\n", "has no line 'Total:': it may be cut off"),
        ("a.csv", HEAD, "answers no line"),
        ("a.csv", "txn;sum\n1;2\n", "a.csv: "),
        ("a.doc", "x", "a.doc: "),
    ],
)
def test_a_file_that_cannot_be_right_as_a_whole_is_refused(tmp_path: Path, name: str, content: str, why: str):
    with pytest.raises(BadInput) as found:
        read(tmp_path, name, content)
    assert why in str(found.value)


def test_a_long_file_becomes_commands_that_fit_and_are_the_same_for_the_same_file():
    found = lines(1_000)
    registry = a_registry(found)
    content = [f"{one.line.txn};950.00;rejected;{'Нет договора ' * 5}" for one in found]

    def made(at):
        return list(commands(registry, _said(content), at))

    first, again = made(NOW), made(NOW.replace(year=2027))
    assert [one.id for one in first] == [one.id for one in again]
    assert [one.digest() for one in first] == [one.digest() for one in again]
    assert sum(len(one.answers) for one in first) == 1_000
    assert max(len(one.model_dump_json().encode()) for one in first) < 12_000  # 16 KiB as a JWS
    assert COMMAND.validate_json(first[0].model_dump_json()) == first[0]


def _said(content: list[str]):
    rows = [row.split(";") for row in content]
    return [AnswerOfLine(txn=int(txn), amount=95_000, accepted=False, reason=reason) for txn, _, _, reason in rows]

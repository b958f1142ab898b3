"""What the documents for operators and makers of terminals say is so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.main import get_command

from agents.verify import Verifier
from console.audit_report import CATALOGUE
from console.cli import create_app
from console.settings_page import page
from schemas.account_kinds import ACCOUNT_KINDS
from schemas.envelope import MAX_BYTES
from schemas.ids import instant_ms
from schemas.keys import PublicJwk, PublicKey
from schemas.payment import PaymentOrder
from schemas.refusal import Refusal
from schemas.reply import Reply, ReplyState
from schemas.terminal import Terminal
from streams.arrival import Arrival, Ask
from streams.directory import Directory
from streams.ledger.commands import Place
from streams.partitioner import murmur2, partition_of
from streams.settings import Settings
from streams.topics import ALL

DOCS = Path(__file__).parent.parent / "docs"
CLI = (DOCS / "cli.md").read_text(encoding="utf-8")
PAGES = [*DOCS.rglob("*.md"), *DOCS.parent.glob("*.md")]
MAKERS = (DOCS / "terminal-makers.md").read_text(encoding="utf-8")


def commands(group: Any, path: str = "kassa") -> list[str]:
    if not hasattr(group, "commands"):
        return [path]
    return [one for name, below in group.commands.items() for one in commands(below, f"{path} {name}")]


def test_every_command_has_its_section_and_an_example() -> None:
    sections = dict(re.findall(r"^### (kassa .*?)\n(.*?)(?=^#|\Z)", CLI, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(commands(get_command(create_app())))
    without = [name for name, text in sections.items() if not re.search(rf"^    \$ .*{name}", text, re.MULTILINE)]
    assert without == []


OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def options() -> set[str]:
    return {
        option
        for command in _all(get_command(create_app()))
        for param in command.params
        for option in (*param.opts, *param.secondary_opts)
        if OPTION.fullmatch(option) and option != "--help"
    }


def test_every_option_an_example_uses_is_there() -> None:
    assert set(OPTION.findall(CLI)) - options() - {"--help"} == set()


def test_every_option_is_on_some_page() -> None:
    assert options() - {one for page in PAGES for one in OPTION.findall(page.read_text(encoding="utf-8"))} == set()


def test_every_command_a_page_names_is_there() -> None:
    known = {path.partition(" ")[2] for path in commands(get_command(create_app()))}
    groups = {path.split()[0] for path in known} - known
    strange = [
        f"{page.name}: {said[0]}"
        for page in PAGES
        for said in re.findall(
            r"(?:`|^    (?:\$ )?)kassa (([a-z-]+)(?: [a-z][a-z-]*)?)", page.read_text(), re.MULTILINE
        )
        if not {said[0], said[1]} & known and said[0] not in groups
    ]
    assert strange == []


@pytest.mark.parametrize(
    ("said", "count"),
    [
        (r"all (\d+) checks passed", len(CATALOGUE)),
        (r"(\d+) created, 0 verified", len(ALL)),
        (r"all (\d+) kinds of accounts", len(ACCOUNT_KINDS)),
    ],
)
def test_examples_count_what_there_is(said: str, count: int) -> None:
    shown = {int(one) for page in PAGES for one in re.findall(said, page.read_text(encoding="utf-8"))}
    assert shown == {count}


def _all(group: Any) -> list[Any]:
    return [group, *(one for below in getattr(group, "commands", {}).values() for one in _all(below))]


def test_every_setting_is_documented() -> None:
    """Made by `python -m console.settings_page > docs/settings.md`."""
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert text == page()
    assert [row for row in text.splitlines() if row.startswith("| `") and row.endswith("|  |")] == []


# --- docs/terminal-makers.md


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"^```{language}\n(.*?)^```", MAKERS, re.MULTILINE | re.DOTALL)[number]


def test_the_worked_example_is_what_its_own_code_signs() -> None:
    code: dict[str, Any] = {}
    exec(block("python"), code)
    jwk = json.loads(block("json"))
    header, payload = block("text", 0).splitlines()
    message = block("text", 1).strip().encode()
    assert code["signed"](json.loads(payload), jwk["d"], json.loads(header)["kid"]) == message
    parts = [code["b64"](part.encode()) for part in (header, payload)]
    assert message.split(b".")[:2] == parts


def test_the_server_takes_the_worked_example() -> None:
    jwk = json.loads(block("json"))
    public = PublicJwk.model_validate({name: jwk[name] for name in ("kty", "crv", "x")})
    order = PaymentOrder.model_validate_json(block("text", 0).splitlines()[1])
    record = Terminal(
        id="kiosk-7",
        agent="shop",
        tree="dealer",
        keys=(PublicKey(kid="kiosk-7:1", algorithm="EdDSA", jwk=public),),
    )
    directory, settings = Directory(), Settings()
    directory.apply("terminals", "kiosk-7", record.model_dump_json().encode())
    place = partition_of("dealer", settings.partitions)
    message = block("text", 1).strip().encode()
    item = Verifier(settings, directory).payment(
        Arrival("payments", place, 0, b"dealer", message, instant_ms(order.made_at))
    )
    assert isinstance(item, Ask)
    assert isinstance(item.command, Place)
    assert (item.command.book, item.command.order) == ("dealer", order)


@pytest.mark.parametrize("key", ["dealer", "kiosk-7"])
def test_the_partitions_to_check_a_murmur2_with_are_right(key: str) -> None:
    said = re.search(rf"`{key}`\s+hashes\s+to\s+(\d+)\s+and\s+lives\s+on\s+partition\s+(.*?)[;.]", MAKERS, re.DOTALL)
    assert said is not None
    places = {int(of): int(on) for on, of in re.findall(r"(\d+) of (\d+)", said[2])}
    assert int(said[1]) == murmur2(key.encode())
    assert places == {partitions: partition_of(key, partitions) for partitions in (1, 4, 12)}


def first_cells(heading: str) -> list[str]:
    """What stands in code style in the first cells of the table after this text."""
    after = MAKERS[MAKERS.index(heading) :]
    table = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert table is not None
    return [name for row in table[0].splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_every_field_of_orders_and_replies_is_there() -> None:
    assert first_cells("**1. The payload**") == list(PaymentOrder.model_fields)
    assert first_cells("## Replies") == list(Reply.model_fields)
    assert set(first_cells("| state | final")) == set(get_args(ReplyState))


def test_every_code_is_there_with_its_sentence() -> None:
    rows = re.findall(r"^\| (\d+) \| (yes|no) \| (.*) \|$", MAKERS, re.MULTILINE)
    assert set(rows) == {(str(one.code), "yes" if one.retryable else "no", one.sentence) for one in Refusal}


def test_bounds_are_those_of_the_server() -> None:
    settings = Settings()
    assert f"at most {MAX_BYTES} bytes" in MAKERS
    assert f"{settings.clock_ahead_s // 60} minutes ahead" in MAKERS
    assert f"{settings.clock_behind_s // 86_400} days late" in MAKERS

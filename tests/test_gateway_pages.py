"""What the pages of agent XML and signed key=value say is so: every code and option, and the payee to try against."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.gateways import agent_xml_codes, signed_kv_codes
from agents.gateways.agent_xml import asker_of
from agents.gateways.base import open_gateway
from agents.gateways.errors import NotSent
from agents.gateways.options import OPTIONS, wrong_options
from agents.gateways.questions import QUESTIONS
from agents.gateways.results import ResultTable
from agents.gateways.signed_kv_reply import SignedReply, outcome_of
from agents.gateways.simulator_agent_xml import AgentXmlWire
from agents.gateways.simulator_faults import Behaviour
from agents.gateways.simulator_payees import Payees
from agents.gateways.simulator_wire import Request
from console.cli import create_app
from console.errors import BadInput
from schemas.outcome import Step, Verdict
from tests.builders_protocols import AGENT_XML, SIGNED_KV
from tests.gateway_builders import GOLDEN, HTTP, a_gateway, a_payment

PAGES = Path(__file__).parent.parent / "docs" / "gateways"
AGENT_XML_PAGE = (PAGES / "agent-xml.md").read_text(encoding="utf-8")
SIGNED_KV_PAGE = (PAGES / "signed-kv.md").read_text(encoding="utf-8")


def rows_of(page: str, heading: str) -> dict[str, list[str]]:
    """The rows of the table whose head begins with this word: first cell -> the others."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert table is not None
    cells = [[cell.strip() for cell in row.strip("|\n").split("|")] for row in table[1].splitlines()]
    return {first: rest for first, *rest in cells}


def word(cell: str) -> str:
    return re.split(r"[,:;]", cell)[0]


def test_the_table_of_agent_xml_is_the_codes() -> None:
    rows = rows_of(AGENT_XML_PAGE, "result")
    table = ResultTable(agent_xml_codes.RESULTS, a_gateway("http://x/"), agent_xml_codes.FIXED)
    assert rows.keys() == {code.removeprefix("status:") for code in agent_xml_codes.RESULTS} | {"any other"}
    for code, (_, check, pay, status) in rows.items():
        assert word(check) == table.verdict("check", code)
        assert word(pay) == (table.verdict("pay", code) if code != "0" else Verdict.UNCLEAR)
        assert word(status) == (Verdict.ABSENT if code == "210" else Verdict.UNCLEAR)


def test_the_table_of_signed_lines_is_the_codes() -> None:
    rows = rows_of(SIGNED_KV_PAGE, "ERROR")
    assert rows.keys() == {code.removeprefix("status:") for code in signed_kv_codes.RESULTS} | {"any other"}
    for error, (_, pay, status) in rows.items():
        code = "777" if error == "any other" else error
        if word(pay) in Verdict.__members__:
            told = said("pay", code, 1)
            assert (word(pay), *pay.split(", ")[1:]) == (told[0], *([told[1]] if told[0] is Verdict.FATAL else []))
        expected = Verdict.ABSENT if code == "11" else said("status", code, 7)[0]
        assert expected in re.split(r"\W+", status)


def said(step: Step, error: str, result: int) -> tuple[Verdict, str]:
    table = ResultTable(signed_kv_codes.RESULTS, a_gateway("http://x/"), signed_kv_codes.FIXED)
    outcome = outcome_of(step, a_payment(), SignedReply("1234567", error, result, "", None, ""), table)
    return outcome.verdict, outcome.code


@pytest.mark.parametrize(("page", "protocol"), [(AGENT_XML_PAGE, "agent-xml"), (SIGNED_KV_PAGE, "signed-kv")])
def test_every_option_is_on_the_page_and_those_needed_in_its_command(page: str, protocol: str) -> None:
    known = OPTIONS[protocol]
    assert known.keys() == set(re.findall(r"`(\w+)`", " ".join(rows_of(page, "option of the record"))))
    assert {name for name, is_needed in known.items() if is_needed} == set(re.findall(r"--option (\w+)=", page))


@pytest.mark.parametrize(
    ("protocol", "options", "wrong"),
    [
        ("agent-xml", AGENT_XML, ""),
        ("signed-kv", {**SIGNED_KV, "digest": "sha1"}, ""),
        ("osmp", {"repeats": "never"}, ""),
        ("agent-xml", {"login": "kassa"}, "protocol agent-xml needs the options terminal, service, password"),
        (
            "signed-kv",
            {**SIGNED_KV, "acount_field": "x"},
            "protocol signed-kv has no option 'acount_field'; it has sd, ap",
        ),
    ],
)
def test_options_are_looked_at_before_a_record_is_on_file(protocol: str, options: dict[str, str], wrong: str) -> None:
    said = wrong_options(a_gateway("http://x/", protocol=protocol, options=options))
    assert said.startswith(wrong)
    assert bool(said) == bool(wrong)


@pytest.mark.parametrize("protocol", QUESTIONS)
def test_what_can_be_asked_is_what_the_gateways_can(protocol: str, tmp_path: Path) -> None:
    record = a_gateway("http://x/", protocol=protocol, cancels=True, asks=("status", "statement"))
    can = open_gateway(record, HTTP, tmp_path).capabilities
    assert {question for question in ("status", "cancel", "statement") if getattr(can, question)} == QUESTIONS[protocol]


@pytest.mark.parametrize(
    ("protocol", "options", "said"),
    [
        ("agent-xml", ["--option", "login=kassa"], "--option: protocol agent-xml needs the options"),
        ("osmp", ["--asks", "status", "--asks", "statement"], "protocol osmp has no statement: leave out"),
        ("signed-kv", [f"--option={name}={SIGNED_KV[name]}" for name in SIGNED_KV] + ["--cancels"],
         "protocol signed-kv has no cancel: leave out --cancels"),
    ],
)  # fmt: skip
def test_the_command_line_refuses_them_and_sends_nothing(protocol: str, options: list[str], said: str) -> None:
    line = ["gateway", "add", "network", "--url", "https://x/", "--protocol", protocol, *options]
    shown = CliRunner().invoke(create_app(), line, prog_name="kassa")
    assert isinstance(shown.exception, BadInput)
    assert said in str(shown.exception)


def test_a_digest_nobody_knows_is_told(tmp_path: Path) -> None:
    record = a_gateway("http://x/", protocol="agent-xml", options={**AGENT_XML, "digest": "rot13"})
    with pytest.raises(NotSent, match="neither sha256 nor md5"):
        asker_of(record, tmp_path)


def test_the_payee_of_the_page_answers_as_the_page_says() -> None:
    behaviour = Behaviour(protocol="agent-xml", options={"polls": "2"}, decline={"13": 5})
    payees, wire = Payees({"network": behaviour}, 1), AgentXmlWire()
    body = (GOLDEN / "gateways" / "agent_xml" / "request_pay.xml").read_bytes()
    question = wire.read(Request("network", "POST", "", {}, {}, body), behaviour)
    fault = payees.meet(question)
    reply = wire.write(question, wire.answer(payees, question, 0), behaviour, fault)
    assert reply.body.decode().splitlines()[1] in AGENT_XML_PAGE

"""`kassa tariff` with files of rules, against a running stack; and what is wrong with a file, without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.errors import BadInput
from console.stack import Stack
from console.tariff_explained import arithmetic, parts
from console.tariff_file import read_tariff
from schemas.ids import instant_ms, ms_instant
from schemas.tariff import Fee
from tests.builders import AT, a_rate, a_rule, a_tariff
from tests.cli_runs import Kassa

pytest_plugins = ["tests.cli_fixtures"]

DOCS = Path(__file__).parent.parent / "docs" / "tariffs.md"
FILE = DOCS.read_text().partition("```toml\n")[2].partition("```")[0]
TIE = FILE + '\n[[rules]]\nname = "late"\ntime_from = "17:00"\ntime_to = "23:00"\n'


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "mobile.toml"
    path.write_text(FILE)
    return path


def test_a_file_says_in_peoples_units_what_the_record_says_in_minor_ones(written: Path):
    tariff = read_tariff(written, "mobile", "RUB", 7)
    assert (tariff.version, tariff.fee, tariff.reward_shares_bps) == (
        7,
        Fee(rate_bps=500, base="collected"),
        (5_000, 2_500),
    )
    small, evening, metro, spring = tariff.rules
    assert (small.amount_to, small.fee) == (10_000, Fee(min_minor=500))
    assert evening.fee == Fee(rate_bps=300, min_minor=500, rounding="half")
    assert (metro.amount_from, metro.group) == (50_000, "metro")
    assert spring.valid_from is not None
    assert (instant_ms(spring.valid_from), spring.reward_shares_bps) == (1_772_312_400_000, (6_000,))


def test_what_is_shown_in_json_can_be_read_again(written: Path, tmp_path: Path):
    tariff = read_tariff(written, "mobile", "RUB", 7)
    again = tmp_path / "again.json"
    again.write_text(tariff.model_dump_json())
    assert read_tariff(again, "mobile", "RUB", 7) == tariff


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fee = ", "mobile.toml: "),
        ("[[rules]]\nname = 'a'", "has rules and no fee of its own"),
        ("payee = 'water'", "the tariff of another payee, not of mobile"),
        ("fee = { rate = '5%', rate_bps = 100 }", "a price says rate_bps twice: here as rate_bps"),
        ("fee = { min_minor = 100, min = '5.00' }", "a price says min_minor twice: here as min"),
        ("reward_shares = ['50%']\nreward_shares_bps = [1]", "reward_shares and reward_shares_bps say the same"),
        ("reward_shares = [50.5]", "reward_shares_bps.0: "),
        ("fee = {}\n[[rules]]\nname = 'a'\ntime_from = 18:00:30\ntime_to = 19:00:00", "time_from is 18:00:30: a time"),
        ("fee = { rate = '500' }", "'500' is not a percentage"),
        ("fee = { rate = '5%', sum = '1.00' }", "a sum, or a rate with bounds, not both"),
        ("fee = { sum = '1.001' }", "is not an amount in RUB"),
        ("fee = { rate_bps = 5.5 }", "fee.rate_bps: "),
        ("discount = 1", "discount: "),
        ("fee = {}\n[[rules]]\nname = 'a'\ngroup = 'g'", "rule a is for the group g, which the tariff does not list"),
        ("fee = {}\n[[rules]]\nname = 'a'\nvalid_from = 2026-01-01T00:00:00", "rules.0.valid_from: "),
        ("fee = {}\n[[rules]]\nname = 'a'\nagent = 'S'", "rules.0.agent: "),
        ("fee = {}\nrules = [1]", "1 is not a rule"),
        ("fee = {}\nrules = 1", "rules: 1 is not a list"),
        ("reward_shares = '50%'", "reward_shares: '50%' is not a list"),
        ("fee = { min_minor = 99999999999999999999 }", "exceeds 64-bit range"),
        pytest.param("fee = " + "[" * 5000 + "]" * 5000, "recursion", id="deep"),
        (b"fee = '\xff'", "can't decode byte 0xff"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path: Path, text: str | bytes, says: str):
    path = tmp_path / "mobile.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput) as caught:
        read_tariff(path, "mobile", "RUB", 1)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)


def test_a_whole_number_is_basis_points_also_as_a_share(tmp_path: Path):
    path = tmp_path / "mobile.toml"
    path.write_text("fee = { rate = 500 }\nreward_shares = [5000, 2500]")
    tariff = read_tariff(path, "mobile", "RUB", 1)
    assert (tariff.fee.rate_bps, tariff.reward_shares_bps) == (500, (5_000, 2_500))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match=r"nothing\.toml: cannot be read: No such file"):
        read_tariff(tmp_path / "nothing.toml", "mobile", "RUB", 1)


def test_every_rule_is_told_why_it_does_not_win():
    rules = (
        a_rule("wins", agent="A/S"),
        a_rule("wide", amount_to=10**6),
        a_rule("other", agent="A/T"),
        a_rule("large", amount_from=10**6),
        a_rule("late", valid_from=ms_instant(AT + 1)),
        a_rule("early", valid_until=ms_instant(AT)),
        a_rule("noon", time_from="12:00", time_to="13:00"),
    )
    found = {part.rule: part.verdict for part in parts(a_tariff(rules=rules), "A/S", 95_000, AT)}
    assert found == {
        "wins": "wins",
        "wide": "holds, but is for more agents",
        "other": "no: for other agents",
        "large": "no: for other amounts",
        "late": "no: not valid yet",
        "early": "no: no longer valid",
        "noon": "no: at other times",
    }


def test_the_arithmetic_adds_up_to_the_last_minor_unit():
    """Ex. 1, with a reward that does not divide evenly."""
    sums = arithmetic(a_tariff(reward=a_rate().model_copy(update={"rate_bps": 207})), 95_000, ["S", "A"], "S")
    assert sums is not None
    found = {one.what: one.minor for one in sums}
    assert (found["fee"], found["put in"], found["held of S"], found["cash kept by S"]) == (
        5_000,
        100_000,
        95_950,
        4_050,
    )
    assert (found["reward"], found["of it S"], found["of it A"], found["of it the operator"]) == (1_966, 983, 491, 492)
    assert [one.how for one in sums if one.what == "of it A"] == ["25%: 491 5000/10000, rounded down"]


@pytest.mark.integration
@pytest.mark.long
def test_a_tariff_with_rules_is_checked_set_shown_and_explained(
    kassa: Kassa, stack: Stack, written: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KASSA_DIR", str(stack.directory))
    prepared = [
        kassa("gateway", "add", "osmp", "--url", "http://127.0.0.1:1/"),
        kassa("payee", "add", "mobile", "--gateway", "osmp", "--field", "phone:[0-9]{10}", "--max", "15000"),
        kassa("agent", "open", "volga"),
        kassa("agent", "open", "volga-1", "--parent", "volga"),
    ]
    assert [shown.code for shown in prepared] == [0] * 4, prepared
    ask = ("tariff", "explain", "--payee", "mobile", "--amount", "960.00", "--agent", "volga-1")
    assert kassa(*ask).says("it has no rules: its own prices hold")
    tie = written.with_name("tie.toml")
    tie.write_text(TIE)
    for command in ("check", "mobile", str(tie)), ("set", "mobile", "--file", str(tie)):
        refused = kassa("tariff", *command)
        assert (refused.code, refused.says("rules evening and late tie: ", "by any agent on")) == (1, True), refused
    assert kassa("tariff", "check", "mobile", str(written)).says("4 rules, none of which tie")
    assert kassa("tariff", "set", "mobile", "--file", str(written), "--fee", "5%").code == 2
    set_it = kassa("tariff", "set", "mobile", "--file", str(written))
    assert (set_it.code, set_it.says("tariff 1 of payee mobile is in force")) == (0, True)
    shown = kassa("tariff", "show", "mobile")
    assert shown.says("group metro", "volga/volga-1, volga/volga-2", "evening", "18:00-24:00", "below 100.00")
    assert json.loads(kassa("tariff", "show", "mobile", "--json").out)["rules"][0]["name"] == "small"
    told = kassa(*ask, "--at", "2026-01-02T19:00+03:00")
    assert told.says("metro", "wins", "evening", "holds, but is for more agents", "96000", "40.00", "1000.00")
    found = json.loads(kassa(*ask, "--at", "2026-01-02T19:00+03:00", "--json").out)
    sums = {one["what"]: one["minor"] for one in found["sums"]}
    assert (found["rule"], sums["fee"], sums["of it volga-1"], sums["of it the operator"]) == ("metro", 4_000, 960, 480)
    assert kassa(*ask, "--at", "2026-01-02T19:00").says("does not say in which zone")
    dollars = (
        "payee",
        "add",
        "abroad",
        "--gateway",
        "osmp",
        "--field",
        "phone:[0-9]{10}",
        "--max",
        "9",
        "--currency",
        "USD",
    )
    assert kassa(*dollars).code == 0
    lacking = kassa("tariff", "explain", "--payee", "abroad", "--amount", "5", "--agent", "volga-1")
    assert (lacking.code, lacking.says("agent 'volga-1' has no account in USD: it is in RUB")) == (2, True), lacking
    assert kassa("tariff", "explain", "--payee", "mobile", "--amount", "0", "--agent", "volga-1").code == 2

"""The command line without a broker: help, bad input and bad settings, each answered by one line and an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from console import broker, cli, context, explain
from console.cli import create_app, main
from console.errors import BadInput, NoAnswer, NotFinal, Refused
from console.instants import instant
from console.pattern_words import WORDS
from console.written_by_hand import read_record

KASSA = Path(sys.executable).with_name("kassa")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing of Kassa is set up yet."""
    for name in [name for name in os.environ if name.startswith("KASSA_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "configure_logs", lambda level: None)  # it would bind logs to this test's stderr for good
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """(exit code, the line on stderr)."""
    code = main(arguments)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.count("\n") == (1 if code else 0), said
    return code, said.strip()


# --- what is asked wrongly

PAY = ["pay", "--terminal", "k", "--payee", "p", "--to", "1"]
ADD = ["add", "p", "--gateway", "g", "--field"]
ANYWHERE = [
    (["nonsense"], "No such command 'nonsense'"),
    (["agent", "oepn", "A"], "Did you mean 'open'?"),
    (["agent", "open"], "Missing argument 'AGENT'"),
    (["agent", "open", "A", "--overdarft", "5"], "No such option: --overdarft"),
    (["agent", "open", "A", "--funding", "gift"], "'gift' is not one of 'own', 'shared'"),
    (["agent", "deposit", "A", "10.00"], "Missing option '--document'"),
    (PAY, "Missing option '--amount'"),
    ([*PAY, "--amount", "1", "--number", "0"], "Invalid value for '--number'"),
    (["fleet", "--count", "many"], "Invalid value for '--count': Input should be a valid integer"),
    (["fleet", "--count", "-5"], "Invalid value for '--count': Input should be greater"),
    (["terminal", "enroll", "k", "--agent", "A", "--algorithm", "HS256"], "is not one of 'EdDSA', 'ES256'"),
    (["agent", "list"], "no broker is known"),
    (["worker"], "no broker is known"),
    (["sink"], "no broker is known"),
    (["payment", "show", "kiosk-7.12"], "no broker is known"),
    (["payment", "resolve", "kiosk-7.12", "--evidence", "letter"], "--paid (the payee has the money) or --not-paid"),
    (["registry", "build", "--payee", "mobile"], "no warehouse is known"),
]  # fmt: skip

# With a broker known, but not asked: these are found out before.
AMOUNTS = [
    ("gateway", ["add", "osmp", "--url", "ftp://payee"], "url: an address is wanted that begins with http://"),
    ("gateway", ["add", "osmp", "--url", "payee"], "--url cannot be used"),
    ("gateway", ["add", "osmp", "--url", "http://payee:99999/"], "--url cannot be used"),
    ("gateway", ["add", "osmp", "--url", "http://[::1"], "--url cannot be used"),
    ("gateway", ["add", "osmp", "--url", "https://user:word@payee/"], "--credentials names the file"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--credentials", "../root.jwk"], "is no name of a file"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--option", "repeat=never"], "has no option 'repeat'"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--option", "repeats=Never"], "repeats is never, and not"),
    ("gateway", ["add", "o/smp", "--url", "http://payee"], "id: an id has letters, digits, '-' and '_'"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--breaker", "3"], "'3' is not FAILURES:MS"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--breaker", "3:" + "9" * 5000], "is not FAILURES:MS"),
    ("payee", [*ADD, "a:x", "--max", "1", "--low-stock", "1.00:" + "9" * 5000], "is not"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--breaker", "0:9"], "failures: input should be greater"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--result", "3=mad"], "'mad' is none of ok, fatal, repeat"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--result", "3"], "'3' is not CODE=MEANING"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--option", "a=1", "--option", "a=2"], "a is given twice"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--option", "A=1"], "string should match pattern"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--protocol", "telex"], "'telex' is not one of 'osmp'"),
    ("gateway", ["add", "osmp", "--url", "http://payee", "--retry-budget", "0"], "budget: input should be greater"),
    ("payee", [*ADD, "phone", "--max", "10"], "is not NAME:PATTERN[:TITLE]"),
    ("payee", [*ADD, "phone:[", "--max", "10"], "not a regular expression"),
    ("payee", [*ADD, "P:x", "--max", "10"], "name: string should match pattern"),
    ("payee", [*ADD, "phone:x", "--max", "10,50"], "'10,50' is not an amount in RUB"),
    ("payee", [*ADD, "phone:x", "--max", "0"], "max_amount: input should be greater"),
    ("payee", [*ADD, "phone:x", "--max", "1", "--currency", "XXX"], "unknown currency"),
    ("payee", [*ADD, "phone:x", "--max", "1", "--time-zone", "Mars"], "unknown time zone"),
    ("fleet", ["--bad", "0.5"], "'0.5' is not a percentage"),
    ("agent", ["open", "A", "--overdraft", "1e3"], "'1e3' is not an amount in RUB"),
    ("agent", ["open", "A", "--overdraft", "9" * 5000], "longer than any amount"),
    ("agent", ["open", "A", "--overdraft", "10000000000.01"], "above the largest single amount"),
    ("agent", ["open", "A", "--currency", "rub"], "unknown currency 'rub'"),
    ("plan", ["set", "p", "--tree", "A", "--starts", "9999-12-31"], "is no day of the years 1970 to 2199"),
    ("plan", ["set", "p", "--tree", "A", "--starts", "2026-02-30"], "'2026-02-30' is not a day"),
    ("agent", ["open", "-A-"], "No such option: -A"),
    ("agent", ["open", "A b"], "an id has letters, digits, '-' and '_', at most 40"),
    ("correct", ["make", "fee=1", "bank=-1", "--tree", "A", "--corrects", "16", "--reason", "r", "--evidence", "e"],
     "corrects: a payment's id, or such as 'entry 17', is wanted (got '16')"),
    ("agent", ["deposit", "A", "-5", "--document", "1"], "No such option: -5; no amount is below zero"),
    ("agent", ["deposit", "A", "5", "--document", "1", "--id", ""], "--id is empty: leave it out, or say what it is"),
    ("agent", ["deposit", "A", "5", "--document", "1", "--id="], "--id is empty"),
    ("agent", ["deposit", "A", "5", "--document", " "], "--document is empty"),
    ("agent", ["deposit", "", "5", "--document", "1"], "argument 3 is empty"),
    ("change", ["list", "--tree", "\udcff"], "--tree is no UTF-8 text"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "says"), ANYWHERE, ids=[" ".join(arguments) for arguments, _ in ANYWHERE])
def test_what_is_asked_wrongly_is_answered_by_one_line(capsys: Any, arguments: list[str], says: str) -> None:
    code, said = ran(capsys, *arguments)
    assert (code, says in said) == (2, True), said


@pytest.mark.parametrize(("group", "arguments", "says"), AMOUNTS, ids=[f"{row[0]} {row[2]}" for row in AMOUNTS])
def test_a_value_that_cannot_be_used_is_named(
    capsys: Any, monkeypatch: pytest.MonkeyPatch, group: str, arguments: list[str], says: str
) -> None:
    monkeypatch.setenv("KASSA_KAFKA", "127.0.0.1:1")
    code, said = ran(capsys, group, *arguments)
    assert (code, says in said) == (2, True), said


@pytest.mark.parametrize(
    ("toml", "env", "says"),
    [
        ("batch_max = 0", {}, "settings: batch_max: input should be greater than or equal to 1 (got '0')"),
        ("batch_max = 'x'", {}, "batch_max: input should be a valid integer"),
        ("btach_max = 5", {}, "btach_max: extra inputs are not permitted"),
        ("batch_max = ", {}, "kassa.toml is not TOML"),
        (b"kafka = '\xff'", {}, "kassa.toml is not TOML: 'utf-8' codec can't decode byte 0xff"),
        pytest.param("kafka = " + "[" * 5000 + "]" * 5000, {}, "kassa.toml is not TOML: maximum recursion", id="deep"),
        ("", {"KASSA_PARTITIONS": "none"}, "partitions: input should be a valid integer"),
        ("", {"KASSA_LOG_LEVEL": "loud"}, "log_level: string should match pattern"),
        ("", {"KASSA_CONFIG": "/no/such.toml"}, "KASSA_CONFIG=/no/such.toml: there is no such file"),
    ],
)
def test_a_bad_setting_is_named(
    machine: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, toml: str | bytes, env: dict[str, str], says: str
) -> None:
    (machine / "kassa.toml").write_bytes(toml if isinstance(toml, bytes) else toml.encode())
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    code, said = ran(capsys, "agent", "list")
    assert (code, says in said) == (2, True), said


def test_the_operator_s_own_alerts_are_asked_for_by_an_empty_agent(capsys: Any) -> None:
    assert "no broker is known" in ran(capsys, "alerts", "--agent", "")[1]


@pytest.mark.parametrize("url", ["nonsense", "http://[::1", "http://127.0.0.1:99999"])
def test_a_warehouse_that_is_no_address_is_named(capsys: Any, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("KASSA_CLICKHOUSE", url)
    code, said = ran(capsys, "window", "list")
    assert (code, f"KASSA_CLICKHOUSE is {url!r}, expected http://host:port" in said) == (2, True), said


def test_words_are_of_patterns_that_there_are() -> None:
    schemas = "".join(page.read_text() for page in (Path(__file__).parent.parent / "docs" / "schemas").glob("*.json"))
    assert [pattern for pattern in WORDS if json.dumps(pattern) not in schemas] == []


def test_an_empty_file_is_no_tariff(tmp_path: Path) -> None:
    (tmp_path / "mobile.toml").touch()
    with pytest.raises(BadInput, match="is empty, not a tariff"):
        read_record(tmp_path / "mobile.toml", "tariff")


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"])
def test_an_instant_that_no_clock_shows_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is no instant of the years 1970 to 2199"):
        instant(text)


def test_a_password_is_not_printed(machine: Path, capsys: Any) -> None:
    (machine / "kassa.toml").write_text("clickhouse_password = 4711")
    code, said = ran(capsys, "agent", "list")
    assert (code, "clickhouse_password" in said, "4711" in said) == (2, True, False)


def test_a_misspelt_variable_is_pointed_out(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KASSA_BTACH_MAX", "5")
    assert context.misspelt_variables() == ["KASSA_BTACH_MAX is not a setting: did you mean KASSA_BATCH_MAX?"]


def test_init_makes_keys_also_where_no_broker_is_known_yet(machine: Path, capsys: Any) -> None:
    code, said = ran(capsys, "init")
    assert (code, "topics not made: no broker is known" in said) == (2, True)
    assert (machine / "var/keys/server.pub.json").exists()


def test_a_broker_that_is_not_there_is_named(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KASSA_KAFKA", "127.0.0.1:1")
    monkeypatch.setattr(broker, "_TIME_OUT_S", 0.2)
    code, said = ran(capsys, "worker")
    assert (code, "no broker answers at 127.0.0.1:1" in said) == (2, True)


def test_a_mistake_of_ours_is_not_dressed_up_as_the_user_s() -> None:
    assert explain.explain(KeyError("books")) is None


@pytest.mark.parametrize(
    ("error", "exit_code", "says"),
    [
        (
            Refused("payment k.1", 220, retryable=True),
            1,
            "payment k.1: 220 the agent lacks funds; asked anew it may",
        ),
        (Refused("agent.open 7", 300, "tree A is already open"), 1, "agent.open 7: 300 tree A is already open"),
        (
            Refused("payment k.1", 4, "field phone"),
            1,
            "4 the subscriber's number does not have the payee's format (field",
        ),
        (NoAnswer("no worker"), 2, "no worker"),
        (NotFinal("k.1 is HELD"), 3, "k.1 is HELD"),
    ],
)
def test_exit_codes_tell_a_refusal_from_a_failure(error: Any, exit_code: int, says: str) -> None:
    assert (error.exit_code, says in str(error)) == (exit_code, True), str(error)


# --- help


def _commands(group: Any, path: str = "kassa") -> dict[str, Any]:
    if not hasattr(group, "commands"):
        return {path: group}
    below = [_commands(command, f"{path} {name}") for name, command in group.commands.items()]
    return {path: group} | {name: command for some in below for name, command in some.items()}


def test_every_command_explains_itself() -> None:
    from typer.main import get_command

    commands = _commands(get_command(create_app()))
    assert [name for name, command in commands.items() if not (command.help or "").strip()] == []
    shown = CliRunner().invoke(create_app(), ["pay", "--help"], prog_name="kassa")
    assert (shown.exit_code, "Usage: kassa pay" in shown.stdout) == (0, True)


@pytest.mark.parametrize("arguments", [[], ["agent"]])
def test_without_a_command_help_is_shown(capsys: Any, arguments: list[str]) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert ("Commands" in shown.out, shown.err) == (True, "")


# --- the installed command


def kassa(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KASSA_")}
    return subprocess.run([KASSA, *arguments], env=clean | env, capture_output=True, text=True, timeout=60, check=False)


def test_the_installed_command_answers_with_exit_code_and_one_line() -> None:
    shown = kassa("agent", "deposit", "A", "x")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr == "kassa: Missing option '--document'. (see `kassa agent deposit --help`)\n"


def test_the_installed_command_shows_its_help_on_stdout() -> None:
    shown = kassa("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Usage: kassa" in shown.stdout

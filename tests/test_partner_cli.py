"""What `kassa partner` and `kassa register` refuse before they talk to anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.partner.records import a_partner, keep
from streams.keyring import ensure_terminal_key
from streams.settings import Settings
from tests.cli_runs import Kassa

pytest_plugins = ["tests.cli_fixtures"]


@pytest.fixture
def away(kassa: Kassa, monkeypatch: pytest.MonkeyPatch) -> Kassa:
    """A broker is known and nobody is there."""
    monkeypatch.setenv("KASSA_KAFKA", "127.0.0.1:1")
    return kassa


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--host", "0.0.0.0"),
            "passwords would go over 0.0.0.0 in the clear: give --certificate, or say --behind-proxy",
        ),
        (("--host", "pay.example.org"), "in the clear"),
        (("--certificate", "chain.pem"), "--certificate and --private-key go together"),
        (("--certificate", "chain.pem", "--private-key", "chain.pem"), "chain.pem and chain.pem are no certificate"),
        (("--behind-proxy", "--host", "0.0.0.0"), "there is no partner: make one with `kassa partner add`"),
        ((), "there is no partner"),
    ],
)
def test_the_endpoint_says_what_it_lacks(away: Kassa, options: tuple[str, ...], said: str) -> None:
    Path("chain.pem").touch()
    shown = away("partner", "serve", *options)
    assert (shown.code, shown.says(said)) == (2, True), shown


def test_partners_are_listed_without_their_hashes_and_removed(kassa: Kassa) -> None:
    settings = Settings(dir=Path("var"))
    ensure_terminal_key(settings, "p1")
    partner = a_partner("anna", "p1", "correct horse battery", ["192.0.2.1"], "cp1251")
    keep(settings, partner)
    for arguments in (("partner", "list"), ("partner", "list", "--json")):
        shown = kassa(*arguments)
        assert shown.says("anna", "p1", "192.0.2.1", "cp1251")
        assert partner.hash not in shown.out
    assert kassa("partner", "remove", "anna").says("partner anna is removed")
    assert kassa("partner", "remove", "anna").code == 2
    keep(settings, partner).write_text("{}")
    assert kassa("partner", "list").says("anna.json is no partner's file")


def test_a_register_needs_its_terminals_key(away: Kassa) -> None:
    shown = away("register", "upload", "a.csv", "--terminal", "p1")
    assert (shown.code, shown.says("there is no key", "p1.jwk")) == (2, True), shown

"""What travels to a terminal of a subscriber: sealed to the one that asked, and of a size that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.check_replies import CheckReplies
from console.check_answers import opened
from console.checking import told
from schemas.envelope import SigningKey, VerifyingKey, open_envelope
from schemas.ids import ms_instant
from schemas.sealing import NotSealed, OpeningKey, SealingKey
from schemas.terminal import Terminal
from schemas.tracking import MAX_SHOWN, CheckReply, ShownField
from streams.keyring import ensure_sealing_key
from streams.settings import Settings
from tests.builders import AT, a_terminal

SERVER = SigningKey.generate("server:1")
MINE, OTHER = OpeningKey.generate("kiosk-1:1"), OpeningKey.generate("kiosk-2:1")
REPLY = CheckReply(
    id="kiosk-1.check.1", payee="water", code=79, reason="the account of Ivanov is closed", source="payee",
    name="Ivanov Ivan", debt=123_456, denominations=(77_700,), shown=(ShownField(name="Address", text="Lenina 5"),),
    currency="RUB", at=ms_instant(AT),
)  # fmt: skip
PERSONAL = ("Ivan", "123456", "77700", "Lenina", "Address")


def message(terminal: Terminal, reply: CheckReply = REPLY) -> bytes:
    return CheckReplies(Settings(), SERVER, {terminal.id: terminal}).message("kiosk-1", reply)


def arrived(value: bytes) -> CheckReply:
    """As whoever reads the topic has it."""
    envelope = open_envelope(value)
    VerifyingKey.load(SERVER.public()).verify(envelope)
    return CheckReply.model_validate_json(envelope.payload)


def test_what_is_told_of_a_subscriber_is_read_by_the_terminal_that_asked_and_nobody_else():
    travels = message(a_terminal(sealing=MINE.public()))
    said = open_envelope(travels).payload.decode()
    assert [one for one in PERSONAL if one in said] == []
    assert (arrived(travels).code, arrived(travels).id) == (79, REPLY.id)
    assert arrived(travels).opened(MINE) == REPLY
    with pytest.raises(NotSealed):
        arrived(travels).opened(OTHER)


@pytest.mark.parametrize("terminal", [a_terminal(), a_terminal("kiosk-2", sealing=OTHER.public())])
def test_a_terminal_without_a_sealing_key_is_told_in_clear(terminal: Terminal):
    assert arrived(message(terminal)) == REPLY


def test_with_a_key_that_is_none_it_is_told_that_nothing_can_be_told():
    reply = arrived(message(a_terminal(sealing=SealingKey(kid="kiosk-1:1", x="A" * 43))))
    assert (reply.code, reply.retryable, reply.secret, reply.name, reply.debt) == (1, True, None, "", None)
    assert reply.reason == "nothing can be sealed to key kiosk-1:1"


@pytest.mark.parametrize("key", [None, MINE.public()])
@pytest.mark.parametrize("letter", ["a", "ж", "字", "😀", '"'])
def test_however_much_a_payee_tells_the_message_can_be_read(key: SealingKey | None, letter: str):
    shown = tuple(ShownField(name=letter * 64, text=letter * 200) for _ in range(MAX_SHOWN))
    much = REPLY.model_copy(
        update={"name": letter * 200, "reason": letter * 200, "shown": shown, "denominations": (10**12,) * 50}
    )
    reply = arrived(message(a_terminal(sealing=key), much))
    found = reply.opened(MINE) if key is not None else reply
    assert found == much.model_copy(update={"shown": shown[: len(found.shown)]})
    assert len(found.shown) > 4


def test_an_answer_is_opened_with_the_terminals_key_on_this_machine_or_shown_without_what_is_sealed(tmp_path: Path):
    settings = Settings(dir=tmp_path)
    mine = ensure_sealing_key(settings, "kiosk-1")
    assert opened(settings, "kiosk-1", REPLY.sealed(mine.public())) == REPLY
    for sealed in (REPLY.sealed(OTHER.public()), REPLY.model_copy(update={"secret": "none"})):
        assert opened(settings, "kiosk-1", sealed) == sealed
    assert opened(settings, "kiosk-9", REPLY.sealed(mine.public())).code == 79
    shown = told(REPLY.sealed(OTHER.public()), "RUB", 0.1)
    assert shown["sealed"] == "what is told of the subscriber does not open with a key here: enroll the terminal anew"
    assert "name" not in shown

"""PINs under keys: at rest, on their way to a terminal, in files; and in no message, wherever something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from joserfc import jwe
from joserfc.jwk import OKPKey

from console.errors import BadInput
from console.voucher_file import read_pins
from console.voucher_load import chunks
from schemas.envelope import MAX_BYTES, SigningKey
from schemas.ids import ms_instant
from schemas.pin_seal import PinKey, PinUnreadable
from schemas.reply import Reply
from schemas.sealing import NotSealed, OpeningKey
from schemas.terminal import Terminal
from schemas.voucher import Secret, VoucherNote
from streams import metrics
from streams.keyring import KeyFileError, ensure_sealing_key, load_sealing_key
from streams.pin_keys import PinKeys, ensure_pin_key, load_pin_key, pin_key_file
from streams.pin_sealing import PinSealer
from streams.settings import Settings
from tests.builders import AT, a_terminal
from tests.builders_vouchers import a_load

PIN = "4711-0815-2342"
KEY = PinKey.generate("v1")


def note(key: PinKey = KEY, **changes: str) -> VoucherNote:
    values = {"payee": "card", "batch": "b1", "serial": "S1", "kid": key.kid, "payment": "kiosk-1.1"}
    return VoucherNote(**values | {"pin": key.seal("card", "b1", "S1", PIN)} | changes)  # type: ignore[arg-type]


def a_reply() -> Reply:
    return Reply(id="kiosk-1.1", state="POSTED", final=True, at=ms_instant(AT))


# --- at rest


def test_a_pin_opens_in_its_own_place_alone():
    sealed = KEY.seal("card", "b1", "S1", PIN)
    assert KEY.open("card", "b1", "S1", sealed) == PIN
    assert PIN not in sealed
    for place in (("card", "b1", "S2"), ("card", "b2", "S1"), ("game", "b1", "S1"), ("card", "b1S", "1")):
        with pytest.raises(PinUnreadable) as failure:
            KEY.open(*place, sealed)
        assert PIN not in str(failure.value)


def test_another_key_or_a_changed_ciphertext_opens_nothing():
    sealed = KEY.seal("card", "b1", "S1", PIN)
    changed = ("A" if sealed[20] != "A" else "B").join((sealed[:20], sealed[21:]))
    for key, text in ((PinKey.generate("v1"), sealed), (KEY, changed), (KEY, sealed[:-4]), (KEY, ""), (KEY, "ж" * 56)):
        with pytest.raises(PinUnreadable):
            key.open("card", "b1", "S1", text)


def test_one_pin_in_one_place_is_sealed_alike_and_anything_else_is_not():
    """So that a file loaded again is the same commands; no nonce is ever used for two plaintexts."""
    assert KEY.seal("card", "b1", "S1", PIN) == KEY.seal("card", "b1", "S1", PIN)
    nonces = {KEY.seal("card", "b1", serial, pin)[:16] for serial in ("S1", "S2") for pin in (PIN, PIN + "1")}
    assert len(nonces) == 4


def test_a_key_is_kept_in_a_file_and_shown_by_nothing(tmp_path: Path):
    settings = Settings(dir=tmp_path)
    key = ensure_pin_key(settings, "v1")
    path = pin_key_file(settings, "v1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_pin_key(settings, "v1") == key == load_pin_key(settings, "v1")
    assert key.dump().decode()[10:40] not in repr(key)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="open to others"):
        load_pin_key(settings, "v1")
    path.chmod(0o600)
    path.write_text('{"kty": "oct", "k": "c2VjcmV0", "kid": "v1", "alg": "A256GCM"}')
    with pytest.raises(KeyFileError) as failure:
        load_pin_key(settings, "v1")
    assert "c2VjcmV0" not in str(failure.value)
    for bad in ("../v1", "V1", "", "v" * 21):
        with pytest.raises(KeyFileError, match="is no key's id"):
            ensure_pin_key(settings, bad)


def test_keys_that_are_copied_here_count_at_once(tmp_path: Path):
    keys = PinKeys(Settings(dir=tmp_path))
    assert (keys.ids(), keys.find("v1")) == (frozenset(), None)
    made = ensure_pin_key(Settings(dir=tmp_path), "v1")
    assert (keys.ids(), keys.find("v1")) == (frozenset({"v1"}), made)


# --- to a terminal


def test_only_the_terminal_opens_what_is_sealed_to_it():
    mine, other = OpeningKey.generate("kiosk-1:1"), OpeningKey.generate("kiosk-2:1")
    sealed = mine.public().seal(PIN.encode())
    assert OpeningKey.load(mine.dump()).open(sealed) == PIN.encode()
    assert sealed != mine.public().seal(PIN.encode())
    with pytest.raises(NotSealed) as failure:
        other.open(sealed)
    assert PIN not in str(failure.value)


def test_what_names_other_algorithms_is_not_opened():
    mine = OpeningKey.generate("kiosk-1:1")
    key = OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": mine.public().x})
    weaker = jwe.encrypt_compact(
        {"alg": "ECDH-ES", "enc": "A128CBC-HS256"}, PIN, key, algorithms=["ECDH-ES", "A128CBC-HS256"]
    )  # fmt: skip
    for text in (weaker, "", "a.b.c.d.e", "not a jwe"):
        with pytest.raises(NotSealed):
            mine.open(text)


def test_a_sealing_key_file_is_made_once_and_read_only_by_its_owner(tmp_path: Path):
    settings = Settings(dir=tmp_path)
    key = ensure_sealing_key(settings, "kiosk-1")
    assert (
        ensure_sealing_key(settings, "kiosk-1").public()
        == key.public()
        == load_sealing_key(settings, "kiosk-1").public()
    )
    (tmp_path / "keys" / "sealing" / "kiosk-1.jwk").write_text('{"kid": "kiosk-1:1", "kty": "OKP", "crv": "X25519"}')
    with pytest.raises(KeyFileError, match="is not a private JWK on X25519"):
        load_sealing_key(settings, "kiosk-1")


def sealer(tmp_path: Path, terminal: Terminal | None, *kids: str) -> PinSealer:
    settings = Settings(dir=tmp_path)
    for kid in kids:
        pin_key_file(settings, kid).parent.mkdir(parents=True, exist_ok=True)
        pin_key_file(settings, kid).write_bytes(KEY.dump())
        pin_key_file(settings, kid).chmod(0o600)
    return PinSealer(PinKeys(settings), {terminal.id: terminal} if terminal is not None else {})


def test_a_sold_pin_is_enclosed_for_its_terminal(tmp_path: Path):
    mine = OpeningKey.generate("kiosk-1:1")
    terminal = a_terminal(sealing=mine.public())
    reply = sealer(tmp_path, terminal, "v1").enclosed(a_reply(), "kiosk-1", note())
    assert reply.secret is not None
    assert PIN not in reply.model_dump_json()
    secret = Secret.model_validate_json(mine.open(reply.secret))
    assert secret == Secret(payment="kiosk-1.1", payee="card", serial="S1", pin=PIN)


@pytest.mark.parametrize(
    ("terminal", "kids", "changes", "why"),
    [
        (a_terminal(), ("v1",), {}, "terminal kiosk-1 has no sealing key on file any more"),
        (None, ("v1",), {}, "terminal kiosk-1 has no sealing key on file any more"),
        ("mine", (), {}, "this worker has no key v1 of PINs"),
        ("mine", ("v1",), {"serial": "S2"}, "PIN S2 of batch b1 of card does not open with key v1"),
    ],
)
def test_a_pin_that_cannot_be_enclosed_does_not_stop_the_sale(tmp_path: Path, terminal, kids, changes, why):
    before = metrics.PINS_NOT_SEALED._value.get()
    found = a_terminal(sealing=OpeningKey.generate("kiosk-1:1").public()) if terminal == "mine" else terminal
    reply = sealer(tmp_path, found, *kids).enclosed(a_reply(), "kiosk-1", note(**changes))
    assert (reply.state, reply.secret) == ("POSTED", None)
    assert reply.reason == f"{why}; ask for it with voucher.reprint later"
    assert metrics.PINS_NOT_SEALED._value.get() == before + 1


# --- from a file


def test_a_suppliers_file_is_read_whole_before_anything_is_sent(tmp_path: Path):
    path = tmp_path / "pins.csv"
    path.write_text("Serial,PIN,Region\nS1,111-111,north\nS2,222 222,south\n")
    assert [(one.serial, one.pin) for one in read_pins(path)] == [("S1", "111-111"), ("S2", "222 222")]
    assert "111-111" not in repr(read_pins(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("serial,pin\nS1,secret-1\nS1,secret-2\n", "line 3, column serial: S1 stands in line 2 already"),
        ("serial,pin\nS 1,secret-1\n", "line 2, column serial: must be letters, digits and '-', at most 40"),
        ("serial,pin\nS1,\n", "line 2, column pin: must be 1 to 64 printable ASCII characters"),
        ("serial,pin\nS1,secret-жжж\n", "line 2, column pin: must be 1 to 64 printable ASCII characters"),
        ("serial,pin\nS1," + "secret" * 11 + "\n", "line 2, column pin: must be 1 to 64"),
        ("serial,pin\nS1,secret-1,secret-2\n", "line 2"),
        ("serial,pin\n", "has no PINs"),
        ("serial,code\nS1,secret-1\n", "pin missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_by_line_and_without_a_pin(tmp_path: Path, capsys, content, says):
    path = tmp_path / "pins.csv"
    path.write_text(content)
    with pytest.raises(BadInput) as failure:
        read_pins(path)
    said = capsys.readouterr().out + str(failure.value)
    assert says in said
    assert "secret" not in said


def test_a_formula_in_a_pin_is_refused_and_not_shown(tmp_path: Path, capsys):
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["serial", "pin"])
    book.active.append(["S1", "=secret()"])
    book.save(tmp_path / "pins.xlsx")
    with pytest.raises(BadInput, match="nothing was loaded"):
        read_pins(tmp_path / "pins.xlsx")
    assert "secret" not in capsys.readouterr().out


def test_every_chunk_of_a_batch_fits_into_a_message_and_all_pins_are_in_one(tmp_path: Path):
    path = tmp_path / "pins.csv"
    path.write_text("serial,pin\n" + "".join(f"{'S' * 33}{number:06},{'p' * 58}{number:06}\n" for number in range(500)))
    pins = read_pins(path)
    command = a_load("x").command
    made = chunks(command, pins, KEY)
    signer = SigningKey.generate("root:1")
    assert max(len(signer.sign(one.model_dump_json().encode())) for one in made) <= MAX_BYTES
    assert [serial for one in made for serial, _ in one.pins] == [one.serial for one in pins]
    assert [(one.chunk, one.chunks) for one in made] == [(number, len(made)) for number in range(1, len(made) + 1)]
    assert len({one.id for one in made}) == len(made) > 1
    assert [one.digest() for one in made] == [one.digest() for one in chunks(command, read_pins(path), KEY)]

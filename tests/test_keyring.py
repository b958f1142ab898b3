"""Key files: made once, private ones only their owner's, and every fault named without showing what is in them."""

from __future__ import annotations

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from schemas.envelope import SigningKey, VerifyingKey, open_envelope
from streams import keyring
from streams.keyring import KeyFileError
from streams.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(dir=tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_private_keys_are_only_their_owners(settings: Settings) -> None:
    keyring.ensure_server_key(settings)
    keyring.ensure_operator_key(settings)
    keyring.ensure_terminal_key(settings, "kiosk-7")
    private = [*settings.keys.rglob("*.jwk")]
    assert {path.name for path in private} == {"server.jwk", "root.jwk", "kiosk-7.jwk"}
    assert {mode(path) for path in private} == {0o600}
    assert {mode(path) for path in [settings.keys, *settings.keys.rglob("*")] if path.is_dir()} == {0o700}


def test_keys_are_made_once(settings: Settings) -> None:
    made = keyring.ensure_server_key(settings), keyring.ensure_operator_key(settings)
    again = keyring.ensure_server_key(settings), keyring.ensure_operator_key(settings)
    assert [key.public() for key in made] == [key.public() for key in again]


def test_of_many_that_make_a_key_at_once_all_get_the_same(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: keyring.ensure_terminal_key(settings, "kiosk-7"), range(8)))
    assert len({key.public().jwk.x for key in keys}) == 1
    assert [path.name for path in (settings.keys / "terminals").iterdir()] == ["kiosk-7.jwk"]


def test_replies_verify_with_the_server_s_public_file(settings: Settings) -> None:
    message = keyring.ensure_server_key(settings).sign(b"{}")
    VerifyingKey.load(keyring.load_server_public(settings)).verify(open_envelope(message))


def test_a_new_operator_s_key_is_trusted_by_the_workers_of_this_machine(settings: Settings) -> None:
    key = keyring.ensure_operator_key(settings, "root")
    assert keyring.load_trusted(settings) == {"root:1": key.public()}


def test_an_operator_to_be_introduced_by_another_is_not_trusted_by_a_file(settings: Settings) -> None:
    keyring.ensure_operator_key(settings, "anna", trust=False)
    assert keyring.load_trusted(settings) == {}


def test_trust_that_was_taken_away_does_not_come_back_by_itself(settings: Settings) -> None:
    keyring.ensure_operator_key(settings)
    keyring.trusted_file(settings, "root:1").unlink()
    keyring.ensure_operator_key(settings)
    assert keyring.load_trusted(settings) == {}


def test_nobody_is_trusted_where_there_are_no_files(settings: Settings) -> None:
    assert keyring.load_trusted(settings) == {}


def test_the_next_key_of_a_terminal_waits_beside_the_present_one(settings: Settings) -> None:
    present = keyring.ensure_terminal_key(settings, "kiosk-7")
    following = keyring.next_terminal_key(settings, "kiosk-7", 2)
    assert following.kid == "kiosk-7:2"
    assert keyring.next_terminal_key(settings, "kiosk-7", 2).public() == following.public()
    assert keyring.load_terminal_key(settings, "kiosk-7").public() == present.public()
    keyring.adopt_next_terminal_key(settings, "kiosk-7")
    assert keyring.load_terminal_key(settings, "kiosk-7").public() == following.public()
    assert keyring.owned(settings, "terminals") == ["kiosk-7"]


def _open_to_all(path: Path) -> None:
    path.chmod(0o644)


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def _public_only(path: Path) -> None:
    jwk = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps({name: value for name, value in jwk.items() if name != "d"}))


def _without_kid(path: Path) -> None:
    jwk = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps({name: value for name, value in jwk.items() if name != "kid"}))


def _another_curve(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Ed25519", b"X25519"))


def _a_list(path: Path) -> None:
    path.write_bytes(b"[1]")


@pytest.mark.parametrize(
    ("load", "says"),
    [
        (keyring.load_terminal_key, "`kassa terminal enroll` makes one"),
        (keyring.load_sealing_key, "`kassa terminal enroll` makes one"),
        (keyring.load_operator_key, "`kassa operator add`, or for root `kassa init`, makes one"),
    ],
)
def test_who_has_no_key_is_told_what_makes_one(  # type: ignore[no-untyped-def]
    settings, load: Callable[[Settings, str], object], says: str
) -> None:
    with pytest.raises(KeyFileError, match=says):
        load(settings, "k")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (Path.unlink, "there is no key"),
        (_open_to_all, "chmod 600"),
        (_half, "not a private JWK"),
        (_public_only, "not a private JWK"),
        (_without_kid, "not a private JWK"),
        (_another_curve, "not a private JWK"),
        (_a_list, "not a private JWK"),
    ],
)
def test_a_private_key_that_cannot_be_used_is_named_and_not_shown(settings, spoil, says) -> None:  # type: ignore[no-untyped-def]
    key = keyring.ensure_terminal_key(settings, "kiosk-7")
    secret = orjson.loads(key.dump())["d"]
    path = keyring.terminal_key_file(settings, "kiosk-7")
    spoil(path)
    with pytest.raises(KeyFileError, match=says) as raised:
        keyring.load_terminal_key(settings, "kiosk-7")
    assert str(path) in str(raised.value)
    assert secret[:12] not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'{"kid":"root:1","algorithm":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"AA"}}',
        b'{"kid":"root:1","algorithm":"ES256","jwk":{"kty":"OKP","crv":"Ed25519","x":"' + b"A" * 43 + b'"}}',
        b'{"kid":"root:1","algorithm":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"'
        + b"A" * 43
        + b'","d":"secret"}}',
    ],
)
def test_a_worker_does_not_start_with_half_of_its_root_of_trust(settings: Settings, text: bytes) -> None:
    keyring.ensure_operator_key(settings)
    path = settings.keys / "trusted" / "anna:1.json"
    path.write_bytes(text)
    with pytest.raises(KeyFileError, match=r"anna:1\.json is not a public key"):
        keyring.load_trusted(settings)


def test_a_trusted_file_is_named_after_its_key(settings: Settings) -> None:
    keyring.write_public(settings.keys / "trusted" / "anna:1.json", SigningKey.generate("root:1").public())
    with pytest.raises(KeyFileError, match=r"holds key root:1"):
        keyring.load_trusted(settings)


def test_another_server_s_public_key_is_not_taken_for_ours(settings: Settings) -> None:
    keyring.ensure_server_key(settings)
    keyring.write_public(keyring.server_public_file(settings), SigningKey.generate("server:1").public())
    with pytest.raises(KeyFileError, match="not the public half"):
        keyring.ensure_server_key(settings)


@pytest.mark.parametrize("name", ["../root", "a/b", "", ".", "x" * 41, "имя", "a\n"])
def test_an_id_cannot_leave_the_directory(settings: Settings, name: str) -> None:
    for path in (keyring.operator_key_file, keyring.terminal_key_file):
        with pytest.raises(KeyFileError, match="is not an id"):
            path(settings, name)


def test_a_directory_that_cannot_be_written_is_named(settings: Settings) -> None:
    settings.dir.joinpath("keys").write_text("a file")
    with pytest.raises(KeyFileError, match="cannot make"):
        keyring.ensure_server_key(settings)

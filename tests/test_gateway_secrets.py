"""The doctor at the secrets of gateways: each protocol's, tried as it will be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from console.doctor_findings import Verdict
from console.doctor_keys import judge_credentials
from tests.builders_protocols import AGENT_XML, SIGNED_KV, a_key, public_pem, with_a_password, with_keys
from tests.gateway_builders import a_gateway
from tests.self_signed import certificate


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "basic").write_text("kassa:s3cret\n")
    with_a_password(tmp_path)
    with_keys(tmp_path)
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    return tmp_path


GATEWAYS: dict[str, dict[str, Any]] = {
    "open": {},
    "basic": {"credentials": "basic"},
    "xml": {"protocol": "agent-xml", "options": AGENT_XML},
    "kv": {"protocol": "signed-kv", "options": SIGNED_KV, "credentials": "basic"},
}


def test_secrets_that_are_there_are_counted(secrets: Path) -> None:
    found = judge_credentials(
        secrets, [a_gateway("http://x/", **{"id": name, **one}) for name, one in GATEWAYS.items()]
    )
    assert (found.verdict, found.says) == (Verdict.OK, f"4 secrets in {secrets}")
    assert judge_credentials(secrets, [a_gateway("http://x/")]).says == "no gateway needs a secret"


@pytest.mark.parametrize(
    ("gateway", "file", "content", "says"),
    [
        ("basic", "basic", b"kassa\n", "not one line user:password"),
        ("xml", "agent-password", None, "cannot read the secret 'agent-password'"),
        ("xml", "agent-password", b"a\nb\n", "not one line"),
        ("kv", "ours.pem", public_pem(a_key("ours")), "our key is no unencrypted PEM private key"),
        ("kv", "payee.pub", b"", "the payee's key is no PEM"),
        ("kv", "basic", None, "cannot read the secret 'basic'"),
    ],
)
def test_a_secret_that_will_not_do_is_told(
    secrets: Path, gateway: str, file: str, content: bytes | None, says: str
) -> None:
    (secrets / file).unlink()
    if content is not None:
        (secrets / file).write_bytes(content)
        (secrets / file).chmod(0o600)
    found = judge_credentials(secrets, [a_gateway("http://x/", **{"id": gateway, **GATEWAYS[gateway]})])
    assert found.verdict is Verdict.FAIL
    assert f"gateway {gateway}: " in found.says
    assert says in found.says


@pytest.mark.parametrize(("gateway", "file"), [("basic", "basic"), ("xml", "agent-password"), ("kv", "ours.pem")])
def test_a_secret_that_others_may_read_is_told(secrets: Path, gateway: str, file: str) -> None:
    (secrets / file).chmod(0o640)
    found = judge_credentials(secrets, [a_gateway("http://x/", **{"id": gateway, **GATEWAYS[gateway]})])
    assert found.says == f"gateway {gateway}: {secrets / file} is open to others"


def test_our_certificate_is_a_secret_too(secrets: Path) -> None:
    record = a_gateway("http://x/", id="bank", client_certificate="localhost.pem")
    assert "cannot use the certificate 'localhost.pem'" in judge_credentials(secrets, [record]).says
    path = certificate(secrets)
    path.chmod(0o644)
    assert judge_credentials(secrets, [record]).says == f"gateway bank: {path} is open to others"
    path.chmod(0o600)
    assert judge_credentials(secrets, [record]).verdict is Verdict.OK


def test_an_option_that_is_missing_is_told(secrets: Path) -> None:
    options = {name: value for name, value in SIGNED_KV.items() if name != "sd"}
    found = judge_credentials(secrets, [a_gateway("http://x/", id="kv", protocol="signed-kv", options=options)])
    assert found.says == "gateway kv: protocol signed-kv needs the option 'sd'"

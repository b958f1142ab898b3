"""The secrets a gateway's record names, each tried as its protocol will use it, for who looks before it is asked."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from agents.gateways import agent_xml, signed_kv
from agents.gateways.credentials import basic_auth, load_client_certificate
from schemas.gateway import Gateway

# Options that name a file nobody else may read, by protocol, and what such a gateway makes of its options and files.
_NAMED: Mapping[str, tuple[str, ...]] = {"agent-xml": ("password",), "signed-kv": ("key",)}
_MADE: Mapping[str, Callable[[Gateway, Path], object]] = {
    "agent-xml": agent_xml.asker_of,
    "signed-kv": lambda record, secrets_dir: (signed_kv.asker_of(record), signed_kv.keys_of(record, secrets_dir)),
}


def secret_names(record: Gateway) -> list[str]:
    """Names of the files under the keys directory that are secret, as far as the record has them."""
    named = [record.options[option] for option in _NAMED.get(record.protocol, ()) if option in record.options]
    return [name for name in (record.credentials, record.client_certificate, *named) if name is not None]


def try_secrets(record: Gateway, secrets_dir: Path) -> None:
    """Raises NotSent, with the comment its questions would have, where one is missing or will not do."""
    if record.credentials is not None:
        basic_auth(secrets_dir, record.credentials)
    if record.client_certificate is not None:
        load_client_certificate(ssl.create_default_context(), secrets_dir, record.client_certificate)
    if record.protocol in _MADE:
        _MADE[record.protocol](record, secrets_dir)

"""How Kafka is reached: where, encrypted how, and as whom; the same for librdkafka's clients and Faust's consumer."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from streams.settings import Settings

if TYPE_CHECKING:  # Faust takes a fifth of a second to import, and most who reach Kafka have no use for it
    from faust.types.auth import CredentialsT


def reach(settings: Settings) -> dict[str, Any]:
    """What every one of confluent-kafka's clients must be told."""
    found: dict[str, Any] = {"bootstrap.servers": settings.kafka, "security.protocol": settings.kafka_security}
    if settings.kafka_security.endswith("ssl"):
        files = {
            "ssl.ca.location": settings.kafka_ca,
            "ssl.certificate.location": settings.kafka_certificate,
            "ssl.key.location": settings.kafka_key,
        }
        found |= {name: str(path) for name, path in files.items() if path is not None}
    if settings.kafka_security.startswith("sasl"):
        found["sasl.mechanism"] = settings.kafka_mechanism
        found["sasl.username"] = settings.kafka_user
        found["sasl.password"] = settings.kafka_password
    return found


def credentials(settings: Settings) -> CredentialsT | None:
    """The same for Faust; None: plaintext. Raises OSError and ssl.SSLError when a file cannot be used."""
    from faust.auth import SASLCredentials, SSLCredentials

    context = _context(settings) if settings.kafka_security.endswith("ssl") else None
    if settings.kafka_security.startswith("sasl"):
        return SASLCredentials(
            username=settings.kafka_user,
            password=settings.kafka_password,
            mechanism=settings.kafka_mechanism,
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None


def _context(settings: Settings) -> ssl.SSLContext:
    """The broker's certificate and name are always checked; ours is shown when there is one."""
    context = ssl.create_default_context(cafile=settings.kafka_ca)
    if settings.kafka_certificate is not None:
        context.load_cert_chain(settings.kafka_certificate, settings.kafka_key)
    return context

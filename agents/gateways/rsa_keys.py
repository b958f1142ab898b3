"""RSA keys of gateways, PEM files named in the record: ours signs what we ask, the payee's proves what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from agents.gateways.errors import NotSent

# Shorter keys were common in this field and can be broken today; whoever has one asks the payee for a new one.
MIN_BITS = 2048

DIGESTS: Mapping[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha1": hashes.SHA1()}


@dataclass(frozen=True, slots=True)
class Signer:
    """Our private key. Signatures are PKCS#1 v1.5, so the same text always has the same one."""

    key: rsa.RSAPrivateKey
    digest: hashes.HashAlgorithm

    def sign(self, text: bytes) -> bytes:
        return self.key.sign(text, padding.PKCS1v15(), self.digest)


@dataclass(frozen=True, slots=True)
class Verifier:
    """The payee's public key."""

    key: rsa.RSAPublicKey
    digest: hashes.HashAlgorithm

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        try:
            self.key.verify(signature, text, padding.PKCS1v15(), self.digest)
        except InvalidSignature:
            return False
        return True


def signer(pem: bytes, digest: hashes.HashAlgorithm) -> Signer:
    """The private key in this unencrypted PEM. Raises NotSent: without it nothing may be sent."""
    return Signer(_private(pem), digest)


def verifier(pem: bytes, digest: hashes.HashAlgorithm) -> Verifier:
    """The public key in this PEM, or that of the certificate in it. Raises NotSent: no answer could be believed."""
    return Verifier(_public(pem), digest)


@lru_cache(maxsize=64)  # OpenSSL examines a private key for some 50 ms, and files are read again quite often
def _private(pem: bytes) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise NotSent("no-credentials", "our key is no unencrypted PEM private key") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_BITS:
        raise NotSent("no-credentials", f"our key is no RSA key of at least {MIN_BITS} bits")
    return key


@lru_cache(maxsize=64)
def _public(pem: bytes) -> rsa.RSAPublicKey:
    try:
        key = (
            x509.load_pem_x509_certificate(pem).public_key()
            if b"-----BEGIN CERTIFICATE-----" in pem
            else serialization.load_pem_public_key(pem)
        )
    except (ValueError, UnsupportedAlgorithm):
        raise NotSent("no-credentials", "the payee's key is no PEM public key or certificate") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MIN_BITS:
        raise NotSent("no-credentials", f"the payee's key is no RSA key of at least {MIN_BITS} bits")
    return key

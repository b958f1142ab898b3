"""Who is asking: HTTP Basic against scrypt hashes, and from where. A guess is slow, and few are looked at in a time."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from console.partner.records import MOST_PASSWORD, Partner, a_partner

_GUESSES = 2  # under way at once: a flood of wrong passwords takes no more than this of the machine
_WAITING = 20


class Crowded(Exception):
    """Too many passwords wait to be looked at: whoever asks may be a partner or not."""


class Door:
    """A password that was right once is known again by a keyed digest of it, which lives as long as the process."""

    def __init__(self, partners: Mapping[str, Partner]) -> None:
        self._key = secrets.token_bytes(32)
        self._partners: Mapping[str, Partner] = {}
        self._known: dict[str, bytes] = {}
        self.let_in(partners)
        self._guesses = asyncio.Semaphore(_GUESSES)
        self._looked_at: dict[tuple[str, str, bytes], asyncio.Task[bool]] = {}
        # Who is nobody's partner must not be told apart by how long it takes to say so.
        self._nobody = a_partner("nobody", "nobody", secrets.token_hex(16), [], "utf-8")

    def let_in(self, partners: Mapping[str, Partner]) -> None:
        """These and no others from now on. A password that was right for another record is looked at anew."""
        same = {user for user, partner in partners.items() if self._partners.get(user) == partner}
        self._known = {user: digest for user, digest in self._known.items() if user in same}
        self._partners = {user: self._partners[user] if user in same else partners[user] for user in partners}
        self._networks = {one.id: [ip_network(text) for text in one.allowed] for one in partners.values()}

    async def who(self, authorization: str) -> Partner | None:
        """The partner with these credentials, or None. Raises Crowded."""
        user, password = _basic(authorization)
        if not user or not 0 < len(password) <= MOST_PASSWORD * 4:
            return None
        partner = self._partners.get(user)
        digest = hmac.digest(self._key, password, sha256)
        if partner is not None and hmac.compare_digest(self._known.get(user, b""), digest):
            return partner
        is_right = await self._is_right(user, partner or self._nobody, password, digest)
        if partner is None or not is_right or self._partners.get(user) is not partner:  # it was changed meanwhile
            return None
        self._known[user] = digest
        return partner

    async def _is_right(self, user: str, partner: Partner, password: bytes, digest: bytes) -> bool:
        """Looked at once for all who bring the same at the same time: a partner's first questions come together."""
        asked = (user, partner.hash, digest)  # a record that is changed meanwhile is looked at on its own
        task = self._looked_at.get(asked)
        if task is None:
            if len(self._looked_at) >= _WAITING:
                raise Crowded
            task = self._looked_at[asked] = asyncio.create_task(self._look(partner, password))
            task.add_done_callback(lambda _: self._looked_at.pop(asked))
        return await asyncio.shield(task)

    async def _look(self, partner: Partner, password: bytes) -> bool:
        async with self._guesses:
            return await asyncio.to_thread(partner.is_password, password)

    def is_from(self, partner: Partner, host: str) -> bool:
        """May it come from there? host: the peer's address."""
        networks: list[IPv4Network | IPv6Network] = self._networks[partner.id]
        if not networks:
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in networks)


def _basic(authorization: str) -> tuple[str, bytes]:
    """User and password, empty when it is no such header."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "basic" or len(token) > 2_000:
        return "", b""
    try:
        user, colon, password = b64decode(token, validate=True).partition(b":")
        return (user.decode("ascii"), password) if colon else ("", b"")
    except ValueError:  # binascii's, and of what is no ASCII
        return "", b""

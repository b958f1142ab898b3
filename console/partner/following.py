"""The partners as their files say: who is added is let in, and who is removed is let out, while the endpoint serves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog

from console.partner.desk import Desk
from console.partner.door import Door
from console.partner.records import Partner, partners, partners_place
from console.partner.teller import Teller
from schemas.envelope import SigningKey
from streams.keyring import KeyFileError, load_terminal_key
from streams.settings import Settings

log = structlog.get_logger()

_LOOK_S = 1.0

Stamp = frozenset[tuple[str, int, int]]


class Partners:
    """Those in force: their records by id, and the keys of their terminals by terminal."""

    def __init__(self, settings: Settings) -> None:
        """Raises KeyFileError."""
        self._settings = settings
        self._stamp = self._look()
        self.known, self.keys = self._read()

    def have_changed(self) -> bool:
        """Take up what the files say by now. Where one cannot be used, those of before stand that still have theirs."""
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.known, self.keys = self._read()
        except (KeyFileError, OSError) as error:
            log.error("partners_unreadable", why=str(error))
            there = {name for name, _, _ in stamp}
            self.known = {id: one for id, one in self.known.items() if f"{id}.json" in there}
        return True

    def _look(self) -> Stamp:
        found = set()
        for path in partners_place(self._settings).glob("*.json"):
            with suppress(FileNotFoundError):  # removed since it was listed
                stat = path.stat()
                found.add((path.name, stat.st_ino, stat.st_mtime_ns))
        return frozenset(found)

    def _read(self) -> tuple[Mapping[str, Partner], Mapping[str, SigningKey]]:
        known = partners(self._settings)
        return known, {one.terminal: load_terminal_key(self._settings, one.terminal) for one in known.values()}


async def follow(found: Partners, door: Door, teller: Teller, desk: Desk) -> None:
    """For ever."""
    while True:
        await asyncio.sleep(_LOOK_S)
        if await asyncio.to_thread(found.have_changed):
            desk.follow(found.keys)
            teller.keys = {**teller.keys, **found.keys}  # whose question is under way may be let out already
            door.let_in(found.known)
            log.info("partners_changed", partners=sorted(found.known))

"""Who is let in while the endpoint serves: as the partners' files say, and by no password of before."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

from console.partner.door import Door
from console.partner.following import Partners
from console.partner.records import a_partner, keep, partner_file
from streams.keyring import ensure_terminal_key
from streams.settings import Settings


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_who_is_changed_or_let_out_is_not_known_by_the_old_password():
    old = a_partner("anna", "p", "correct horse battery", [], "utf-8")
    new = a_partner("anna", "p", "another horse battery", [], "utf-8")
    bob = a_partner("bob", "q", "correct horse battery", [], "utf-8")
    by_old = basic("anna", "correct horse battery")

    async def asked() -> list[object]:
        door = Door({"anna": old})
        found: list[object] = [await door.who(by_old)]
        door.let_in({"anna": new, "bob": bob})
        found += [await door.who(by_old), await door.who(basic("bob", "correct horse battery"))]
        door.let_in({"anna": old})
        under_way = asyncio.create_task(door.who(by_old))
        await asyncio.sleep(0)  # the password is looked at in a thread, and then it is another's
        door.let_in({"anna": new})
        return [*found, *await asyncio.gather(under_way, door.who(by_old))]

    assert asyncio.run(asked()) == [old, None, bob, None, None]


def test_partners_are_as_their_files_say_while_the_endpoint_serves(tmp_path: Path):
    settings = Settings(dir=tmp_path)
    for terminal in ("p", "q"):
        ensure_terminal_key(settings, terminal)
    keep(settings, a_partner("anna", "p", "correct horse battery", [], "utf-8"))
    found = Partners(settings)
    assert (found.have_changed(), set(found.known), set(found.keys)) == (False, {"anna"}, {"p"})
    keep(settings, a_partner("bob", "q", "correct horse battery", [], "utf-8"))
    assert (found.have_changed(), set(found.known), set(found.keys)) == (True, {"anna", "bob"}, {"p", "q"})
    keep(settings, a_partner("eve", "nobody", "correct horse battery", [], "utf-8"))  # its terminal has no key here
    partner_file(settings, "anna").unlink()
    assert (found.have_changed(), set(found.known)) == (True, {"bob"})
    assert found.have_changed() is False
    partner_file(settings, "eve").unlink()
    assert (found.have_changed(), set(found.known), set(found.keys)) == (True, {"bob"}, {"q"})

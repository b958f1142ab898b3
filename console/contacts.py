"""`kassa contact`: whom alerts are delivered to, and below which balance an agent wants to hear of it."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import minor_units
from console.context import broker_settings
from console.errors import BadInput, NotFound
from console.lookup import contacts, find_agent
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut, Tree
from console.output import listing
from console.signing import done, give, now
from schemas.command import SetContact
from schemas.contact import OPERATOR, Contact, Webhook, contact_id
from streams.settings import Settings

Whose = Annotated[str, typer.Argument(metavar="AGENT", help="The agent, or `operator` for the operator's own people.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Contacts: set, list, remove.", no_args_is_help=True)
    group.command("set")(set_contact)
    group.command("list")(list_contacts)
    group.command("remove")(remove)
    app.add_typer(group, name="contact")


def set_contact(
    agent: Whose,
    mail: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="An e-mail address; may be repeated.")
    ] = None,
    webhook: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SECRET=URL", help="An address to post to, and the name of the secret file it is signed with."
        ),
    ] = None,
    low_balance: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Alert when less than this is available. Default: never.")
    ] = None,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Set whom to tell of what concerns an agent, or everything; replaces what was set before."""
    settings = broker_settings()
    key, currency = _found(settings, agent, tree)
    if low_balance is not None and not currency:
        raise BadInput("the operator has no balance: --low-balance is an agent's")
    record = Contact(
        id=key,
        mail=tuple(mail or ()),
        webhooks=tuple(_webhook(text) for text in webhook or ()),
        low_balance=minor_units(low_balance, currency) if low_balance is not None else 0,
    )
    command = SetContact(id=command_id or fresh_id(), issued_at=now(), contact=record)
    done(f"the contacts of {key} are on file", command, give(settings, command, operator, time_out))


def list_contacts(as_json: AsJson = False) -> None:
    """Whom alerts go to. Thresholds are in minor units."""
    found = [one for one in contacts(broker_settings()).values() if one.mail or one.webhooks or one.low_balance]
    lines = (
        (
            one.id,
            ", ".join(one.mail) or "-",
            ", ".join(hook.url for hook in one.webhooks) or "-",
            one.low_balance or "-",
        )
        for one in found
    )
    listing(found, as_json, ("of", "mail", "webhooks", "low balance"), lines, right=("low balance",))


def remove(
    agent: Whose,
    tree: Tree = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Tell nobody there any more."""
    settings = broker_settings()
    key, _ = _found(settings, agent, tree)
    if key not in contacts(settings):
        raise NotFound(f"{key} has no contacts: `kassa contact list` shows all")
    command = SetContact(id=command_id or fresh_id(), issued_at=now(), contact=Contact(id=key))
    done(f"{key} has no contacts any more", command, give(settings, command, operator, time_out))


def _found(settings: Settings, agent: str, tree: str | None) -> tuple[str, str]:
    """(key of the record, currency of the agent); the operator has none. Raises NotFound."""
    if agent == OPERATOR and tree is None:
        return OPERATOR, ""
    found = find_agent(settings, agent, tree)
    return contact_id(found.tree, found.agent), found.currency


def _webhook(text: str) -> Webhook:
    secret, found, url = text.partition("=")
    if not found or not url:
        raise BadInput(f"{text!r} is not SECRET=URL: the name of a secret file, and where to post")
    return Webhook(url=url, secret=secret)

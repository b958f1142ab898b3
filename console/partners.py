"""`kassa partner`: other systems pay through Kassa over HTTP, as if it were a payee."""

from __future__ import annotations

import secrets
import ssl
import sys
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from console.context import broker_settings, load_settings
from console.errors import BadInput
from console.lookup import find_terminal
from console.options import AsJson
from console.output import listing, say
from console.partner.records import a_partner, keep, partner_file, partners
from streams.keyring import load_terminal_key
from streams.logs import configure_logs


class Charset(StrEnum):
    """Of questions and answers."""

    UTF_8 = "utf-8"
    CP1251 = "cp1251"


PartnerArgument = Annotated[str, typer.Argument(metavar="PARTNER", help="The partner's id: its user of HTTP Basic.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Partners' gateways: add, list, remove, serve.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_partners)
    group.command("remove")(remove)
    group.command("serve")(serve)
    app.add_typer(group, name="partner")


def add(
    partner: PartnerArgument,
    terminal: Annotated[
        str, typer.Option(metavar="TERMINAL", help="Whose payments its are; its key is on this machine.")
    ],
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help="Where it may come from, such as 192.0.2.0/24. None: anywhere."),
    ] = None,
    charset: Annotated[Charset, typer.Option(help="Of its questions and of the answers.")] = Charset.UTF_8,
    password_stdin: Annotated[
        bool,
        typer.Option(
            "--password-stdin", help="Read the password from stdin; without it a new one is made and shown once."
        ),
    ] = False,
) -> None:
    """Let a partner in, or give it another password, of which only a hash is kept; `serve` hears of it."""
    settings = broker_settings()
    find_terminal(settings, terminal)
    load_terminal_key(settings, terminal)
    here = partners(settings)
    if partner in here and (before := here[partner].terminal) != terminal:
        raise BadInput(
            f"partner {partner} pays as terminal {before}, by whose numbers its payments are known: as {terminal} what "
            "it repeats would be paid again; add it under another id"
        )
    others = [one.id for one in here.values() if one.terminal == terminal and one.id != partner]
    if others:
        raise BadInput(f"terminal {terminal} is partner {others[0]}'s: their numbers would meet; enroll another")
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else secrets.token_urlsafe(24)
    path = keep(settings, a_partner(partner, terminal, password, allow or [], charset.value))
    say(f"partner {partner} pays as terminal {terminal}: {path}")
    if not password_stdin:
        say(f"password {password} (shown this once)")


def list_partners(as_json: AsJson = False) -> None:
    """Who may pay through this machine."""
    found = partners(load_settings()).values()
    told = (one.model_dump(mode="json", exclude={"salt", "hash"}) for one in found)
    lines = ((one.id, one.terminal, one.charset, ", ".join(one.allowed) or "anywhere") for one in found)
    listing(told, as_json, ("partner", "terminal", "charset", "from"), lines)


def remove(partner: PartnerArgument) -> None:
    """Let a partner in no more; `serve` hears of it."""
    settings = load_settings()
    if partner not in partners(settings):
        raise BadInput(f"there is no partner {partner!r}: `kassa partner list` shows all")
    partner_file(settings, partner).unlink()
    say(f"partner {partner} is removed")


def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, metavar="PORT", help="0: a free one.")] = 8_085,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate chain, PEM: HTTPS.", exists=True, dir_okay=False)
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate's key, PEM.", exists=True, dir_okay=False)
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="HTTPS ends at a proxy of ours: plain HTTP on any address.")
    ] = False,
    in_flight: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Of one partner at once.")] = 50,
    pay_within: Annotated[
        float, typer.Option(min=1, max=300, metavar="S", help="How long a payment is waited for before 90 is said.")
    ] = 30,
) -> None:
    """Answer partners' check and pay until Ctrl-C or SIGTERM: https://…/osmp/<payee>."""
    settings = broker_settings()
    if (certificate is None) != (private_key is None):
        raise BadInput("--certificate and --private-key go together")
    if certificate is not None and private_key is not None:
        _must_go_together(certificate, private_key)
    if certificate is None and not behind_proxy and not _is_here(host):
        raise BadInput(f"passwords would go over {host} in the clear: give --certificate, or say --behind-proxy")
    from console.partner.serving import Endpoint, run  # half a second to import

    configure_logs(settings.log_level)
    run(settings, Endpoint(host, port, certificate, private_key, in_flight, pay_within))


def _must_go_together(certificate: Path, private_key: Path) -> None:
    """Raises BadInput: the server would say so without a name, after it said that it serves."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, private_key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; ValueError: the key has a password
        why = getattr(error, "reason", None) or type(error).__name__
        raise BadInput(f"{certificate} and {private_key} are no certificate chain and its key, PEM: {why}") from None


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

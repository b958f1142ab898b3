"""`kassa gateway`: how payees' systems are reached, and how patiently."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from agents.gateways.options import wrong_options
from agents.gateways.questions import wrong_questions
from console.context import broker_settings
from console.errors import BadInput
from console.gateway_health import health
from console.gateway_options import address_of, breaker_of, named_file, options_of, results_of
from console.lookup import gateways
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import listing
from console.signing import done, give, now
from schemas.command import SetGateway
from schemas.gateway import Gateway, Protocol, RetrySchedule

Results = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CODE=MEANING",
        help="What a code means in this dialect: ok, fatal, repeat, absent or unknown. May be repeated.",
    ),
]
Options = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="What the protocol wants to know besides. May be repeated."),
]
BreakerOption = Annotated[
    str | None,
    typer.Option(metavar="FAILURES:MS", help="Leave it alone after so many failures in a row, for so long."),
]


class Asked(StrEnum):
    STATUS = "status"
    STATEMENT = "statement"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Gateways: add, list, health.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_gateways)
    group.command("health")(health)
    app.add_typer(group, name="gateway")


def add(
    gateway: Annotated[str, typer.Argument(metavar="GATEWAY", help="The gateway's id.")],
    url: Annotated[str, typer.Option(metavar="URL", help="The payee's system: http:// or https://.")],
    protocol: Annotated[Protocol, typer.Option(help="What it speaks: a page of docs/gateways.")] = "osmp",
    call_time_out_ms: Annotated[int, typer.Option(metavar="MS", help="How long one call may take.")] = 60_000,
    connections: Annotated[int, typer.Option(metavar="N", help="Calls in flight at once from a worker.")] = 15,
    retry_interval_ms: Annotated[int, typer.Option(metavar="MS", help="Wait after the first unclear answer.")] = 60_000,
    retry_factor_pct: Annotated[int, typer.Option(metavar="PCT", help="Each wait is this part of the last.")] = 130,
    retry_budget: Annotated[int, typer.Option(metavar="N", help="Tries before an operator must decide.")] = 25,
    give_up_s: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="S", help="How long a payment that cannot be sent is tried again. Default: budget times."
        ),
    ] = None,
    fatal_code: Annotated[
        list[int] | None,
        typer.Option(metavar="CODE", help="A final refusal of this dialect; none: the protocol's own."),
    ] = None,
    credentials: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of a secret file under the workers' keys directory.")
    ] = None,
    cancels: Annotated[
        bool, typer.Option("--cancels", help="This dialect can be asked to give a payment back.")
    ] = False,
    asks: Annotated[
        list[Asked] | None, typer.Option(help="What else this dialect can be asked. May be repeated.")
    ] = None,
    result: Results = None,
    option: Options = None,
    per_second: Annotated[int, typer.Option(metavar="N", help="Requests a second and worker at most; 0: any.")] = 0,
    breaker: BreakerOption = None,
    client_certificate: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of a PEM file under the workers' keys directory.")
    ] = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Add a gateway, or change its record."""
    retry = RetrySchedule(
        interval_ms=retry_interval_ms, factor_pct=retry_factor_pct, budget=retry_budget, give_up_s=give_up_s
    )
    record = Gateway(
        id=gateway,
        protocol=protocol,
        url=address_of(url),
        time_out_ms=call_time_out_ms,
        connections=connections,
        retry=retry,
        fatal_codes=tuple(fatal_code) if fatal_code else None,
        credentials=named_file("--credentials", credentials),
        cancels=cancels,
        asks=tuple(one.value for one in asks or ()),
        results=results_of(result),
        options=options_of(option),
        per_s=per_second,
        breaker=breaker_of(breaker),
        client_certificate=named_file("--client-certificate", client_certificate),
    )
    if wrong := wrong_options(record):
        raise BadInput(f"--option: {wrong}")
    if wrong := wrong_questions(record):
        raise BadInput(f"{wrong}: leave out --cancels or --asks")
    settings = broker_settings()
    command = SetGateway(id=command_id or fresh_id(), issued_at=now(), gateway=record)
    done(f"gateway {gateway} is on file, {url}", command, give(settings, command, operator, time_out))


def list_gateways(as_json: AsJson = False) -> None:
    """All gateways."""
    found = gateways(broker_settings()).values()
    columns = ("gateway", "protocol", "url", "time-out ms", "connections", "retry", "fatal codes", "credentials",
               "cancels", "besides")  # fmt: skip
    listing(found, as_json, columns, map(_line, found), right=("time-out ms", "connections"))


def _line(one: Gateway) -> tuple[object, ...]:
    retry = f"{one.retry.interval_ms} ms × {one.retry.factor_pct}%, {one.retry.budget} tries"
    retry += f", unsent {one.retry.give_up_s} s" if one.retry.give_up_s is not None else ""
    codes = "protocol's" if one.fatal_codes is None else ", ".join(map(str, one.fatal_codes))
    return (one.id, one.protocol, one.url, one.time_out_ms, one.connections, retry, codes, one.credentials or "-",
            "yes" if one.cancels else "-", _besides(one))  # fmt: skip


def _besides(one: Gateway) -> str:
    """What few records have, in the words of the options that set it."""
    said = [f"asks {step}" for step in one.asks]
    said += [f"{code}={meaning}" for code, meaning in one.results.items()]
    said += [f"{name}={value}" for name, value in one.options.items()]
    said += [f"{one.per_s}/s"] if one.per_s else []
    said += [f"breaker {one.breaker.failures}:{one.breaker.open_ms}"] if one.breaker is not None else []
    said += [f"certificate {one.client_certificate}"] if one.client_certificate is not None else []
    return ", ".join(said) or "-"

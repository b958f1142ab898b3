"""Whose key a command is signed with, and sending it."""

from __future__ import annotations

from datetime import UTC, datetime

from console.client import Answer, Client
from console.errors import BadInput, NoAnswer, Refused
from console.output import say
from console.repeats import remembered
from console.requests import command_request
from schemas.command import DirectoryCommand, TreeCommand
from schemas.envelope import SigningKey
from streams.keyring import load_operator_key, owned
from streams.settings import Settings

_DEFAULT = "root"


def operator_key(settings: Settings, operator: str | None) -> SigningKey:
    """The operator's key: the one named, else root's, else the only one here. Raises BadInput, KeyFileError."""
    if operator is None:
        here = owned(settings, "operators")
        if _DEFAULT not in here and len(here) > 1:
            raise BadInput(f"several operators have a key here ({', '.join(here)}): say which with --operator")
        operator = here[0] if _DEFAULT not in here and here else _DEFAULT
    return load_operator_key(settings, operator)


def now() -> datetime:
    """The operator's clock: recorded in the order, never trusted."""
    return datetime.now(UTC)


def give(
    settings: Settings,
    command: TreeCommand | DirectoryCommand,
    operator: str | None,
    time_out_s: float,
    final_s: float = 0,
) -> Answer:
    """Sign the command, send it and wait for the decision. Raises Refused, NoAnswer and what Client raises.

    final_s: how long after it to wait for how it ended, where that is not decided at once.
    """
    key = operator_key(settings, operator)
    request = command_request(remembered(settings, command, "issued_at"), key)
    with Client(settings, [request.owner]) as client:
        try:
            *_, answer = client.ask(request, time_out_s, final_s)
        except NoAnswer as error:
            raise NoAnswer(f"{error}; once it does, repeat with --id {command.id}: it is done once") from None
    if answer.reply.state != "DONE":
        raise Refused(f"{command.kind} {command.id}", answer.reply.code, answer.reply.reason)
    return answer


def done(what: str, command: TreeCommand | DirectoryCommand, answer: Answer) -> None:
    """The line every successful command ends with."""
    again = ", done before" if answer.reply.again else ""
    say(f"{what}  (command {command.id}, {answer.elapsed_s * 1000:.0f} ms{again})")

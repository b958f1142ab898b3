"""Options that several commands share, declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Operator = Annotated[
    str | None,
    typer.Option(envvar="KASSA_OPERATOR", help="Who signs the command: an operator whose key is on this machine."),
]
CommandId = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="ID", help="Idempotency key: the same id and content is done once. Default: a fresh ULID."
    ),
]
TimeOut = Annotated[
    float, typer.Option("--time-out", min=0.1, max=3600, metavar="S", help="How long to wait for the worker's answer.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")]
AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.")]
Tree = Annotated[
    str | None, typer.Option(metavar="ROOT", help="The root agent, where an agent's id is in more than one tree.")
]
Wait = Annotated[float, typer.Option(min=0, metavar="S", help="How long to wait for the final state.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Stop at the first answer: held or declined.")]
CurrencyCode = Annotated[str, typer.Option(metavar="CODE", help="ISO 4217 code in capitals, such as RUB.")]
CurrencyOf = Annotated[
    str | None,
    typer.Option("--currency", metavar="CODE", help="In which of the agent's currencies. Default: its tree's own."),
]
Document = Annotated[str, typer.Option(help="Number of the paper behind it.")]
Comment = Annotated[str, typer.Option(metavar="TEXT", help="A word for whoever reads the statement.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.")]
Address = Annotated[str | None, typer.Option(metavar="TEXT", help="Where the terminal stands.")]
PublicKeyFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Take this public key (JSON: kid, algorithm, jwk); no key is made here."),
]


class KeyAlgorithm(StrEnum):
    """What a new key signs with. EdDSA (Ed25519) is smaller and faster; ES256 is what many secure elements have."""

    EDDSA = "EdDSA"
    ES256 = "ES256"

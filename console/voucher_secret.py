"""The PIN in a reply, for the terminal whose key is on this machine."""

from __future__ import annotations

from pydantic import ValidationError

from console.errors import KassaError
from schemas.reply import Reply
from schemas.sealing import NotSealed
from schemas.voucher import Secret
from streams.keyring import load_sealing_key
from streams.settings import Settings


class SecretUnreadable(KassaError):
    """The reply's secret is not for this machine's key."""


def opened(settings: Settings, terminal: str, reply: Reply) -> Secret | None:
    """None: there is none in the reply. Raises SecretUnreadable, KeyFileError; neither quotes anything of it."""
    if reply.secret is None:
        return None
    try:
        return Secret.model_validate_json(load_sealing_key(settings, terminal).open(reply.secret))
    except (NotSealed, ValidationError):
        raise SecretUnreadable(
            f"the PIN of {reply.id} does not open with {terminal}'s key here: enroll the terminal anew, then "
            "`kassa voucher reprint`"
        ) from None


def words(secret: Secret) -> str:
    """As it is printed for the payer."""
    return f"PIN {secret.pin}  serial {secret.serial}  {secret.payee}, payment {secret.payment}"

"""Alerts by e-mail: one short message, handed to one SMTP server."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path

from agents.delivery_errors import NotDelivered, Undeliverable
from agents.gateways.credentials import MAX_SECRET_BYTES
from schemas.alert import Alert
from schemas.delivery import Delivery
from streams.settings import Settings

_PERMANENT = range(500, 600)


class Mailer:
    """Sends from a thread. tls: whom to trust; by default the system's authorities, or SSL_CERT_FILE."""

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._tls = tls or ssl.create_default_context()

    def send(self, delivery: Delivery, address: str) -> None:
        """Hand an alert to the mail server. Raises NotDelivered, Undeliverable."""
        self.hand_over(message_of(delivery, address, self._settings.smtp_from))

    def hand_over(self, message: EmailMessage) -> None:
        """Hand any mail to the mail server. Raises NotDelivered, Undeliverable."""
        if not self._settings.smtp:
            raise NotDelivered("no mail server is set (setting smtp)")
        try:
            with self._connected() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise _refused(code, "the mail server does not take the recipient") from None
        except smtplib.SMTPSenderRefused as error:
            raise _refused(error.smtp_code, "the mail server does not take our address (setting smtp_from)") from None
        except smtplib.SMTPAuthenticationError as error:
            raise NotDelivered(f"the mail server refuses our login: {error.smtp_code}") from None
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code, "the mail server refuses the message") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotDelivered(f"the mail server: {type(error).__name__}") from None

    def _connected(self) -> smtplib.SMTP:
        """A connection that is encrypted and logged in as the settings say."""
        host, _, port = self._settings.smtp.rpartition(":")
        time_out_s = self._settings.notify_time_out_ms / 1000
        if self._settings.smtp_tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, int(port), timeout=time_out_s, context=self._tls)
        else:
            server = smtplib.SMTP(host, int(port), timeout=time_out_s)
        try:
            if self._settings.smtp_tls == "starttls":
                server.starttls(context=self._tls)
            if self._settings.smtp_login:
                server.login(*_login(self._settings.keys / "notify" / self._settings.smtp_login))
        except BaseException:
            server.close()
            raise
        return server


def message_of(delivery: Delivery, address: str, sender: str) -> EmailMessage:
    """The mail. Its Message-ID is the delivery's id, so what is sent twice can be seen to be one message."""
    alert = delivery.alert
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = f"[kassa] {'over' if alert.over else alert.severity.value}: {alert.kind.value} {alert.subject}"
    message["Message-ID"] = f"<{delivery.id}@{sender.rpartition('@')[2]}>"
    message["Date"] = alert.at
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text_of(alert))
    return message


def text_of(alert: Alert) -> str:
    """What people read."""
    lines = [alert.text[:1].upper() + alert.text[1:] + ".", "", f"Since    {alert.since:%Y-%m-%d %H:%M:%S} UTC"]
    if alert.over:
        lines.append(f"Over     {alert.at:%Y-%m-%d %H:%M:%S} UTC")
    lines += [f"What     {alert.kind.value}", f"About    {alert.subject}", ""]
    return "\n".join(lines)


def _refused(code: int, text: str) -> NotDelivered:
    return (Undeliverable if code in _PERMANENT else NotDelivered)(f"{text}: {code}")


def _login(path: Path) -> tuple[str, str]:
    """(user, password) from the file's one line. Raises NotDelivered: the file may be put right."""
    try:
        secret = path.read_bytes()[:MAX_SECRET_BYTES].decode().strip()
    except (OSError, ValueError) as error:
        raise NotDelivered(f"cannot read the secret {path.name!r}: {type(error).__name__}") from None
    user, colon, password = secret.partition(":")
    if not colon:
        raise NotDelivered(f"the secret {path.name!r} is not user:password")
    return user, password

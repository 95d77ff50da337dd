"""Alerts by e-mail: one letter to one recipient, in plain words and as a short page.

1. What peers wrote stands in the letter's body alone, as text. The few headers are the operator's
   and ours; line ends and what cannot be seen are taken out of the subject.
2. ``starttls`` and ``tls`` are demanded: a server that offers neither gets no letter, and no
   password. The password stands in a file, read for each letter, so that it can be changed.
3. A letter that went out twice, because the hub was stopped in between, has one ``Message-ID``.
"""

import re
import ssl
from collections.abc import Iterator
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import aiosmtplib

from hub.protocol.reconciliation_policy import MailPolicy
from hub.services.reconciliation.alerts.alerts import Alert
from hub.services.reconciliation.alerts.webhooks import NotSentError
from hub.services.reconciliation.reports.report_markup import Markup, tag

TIMEOUT_SECONDS: Final = 30.0
_SUBJECT_CHARACTERS_MAX: Final = 150
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,Arial,sans-serif;color:#1b232b;max-width:44em}"
    "code{font-family:monospace}small{color:#56626d}"
)


class Mailer:
    """Sends letters by the operator's server. ``tls`` replaces the system's authorities."""

    def __init__(
        self,
        policy: MailPolicy,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._timeout = timeout_seconds
        self._tls = tls

    async def send(self, recipient: str, document: str, now: datetime) -> None:
        """Send an alert's document to one recipient. Raises NotSentError."""
        policy = self._policy
        try:
            letter = letter_of(Alert.from_json(document), policy.sender, recipient, now)
            refused, _ = await aiosmtplib.send(
                letter,
                sender=policy.sender,
                recipients=[recipient],
                hostname=policy.host,
                port=policy.port,
                username=policy.username,
                password=_password(policy.password_file),
                use_tls=policy.security == "tls",
                start_tls=policy.security == "starttls",
                timeout=self._timeout,
                tls_context=self._tls,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise NotSentError(f"{type(error).__name__} {error}".rstrip()) from error
        if refused:
            raise NotSentError(f"the server refused {recipient}")


def _password(file: str | None) -> str | None:
    """Return the password in a file, without the line's end. Raises OSError."""
    return None if file is None else Path(file).read_text(encoding="utf-8").rstrip("\r\n")


def letter_of(document: Alert, sender: str, recipient: str, now: datetime) -> EmailMessage:
    """Return the letter. Raises ValueError if an address is none."""
    letter = EmailMessage(policy=SMTP)
    letter["From"] = _address(sender)
    letter["To"] = _address(recipient)
    letter["Subject"] = _UNSEEN.sub(" ", document.title)[:_SUBJECT_CHARACTERS_MAX]
    letter["Date"] = format_datetime(now)
    letter["Message-ID"] = _message_id(document, sender, recipient)
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Itmo-Alert"] = _UNSEEN.sub(" ", document.alert)
    letter.set_content("\n".join(_lines(document)) + "\n", cte="quoted-printable")
    letter.add_alternative(_page(document), subtype="html", cte="quoted-printable")
    return letter


def _address(text: str) -> Address:
    """Return an address of an operator's settings. Raises ValueError with the text."""
    try:
        return Address(addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:
        raise ValueError(f"{text!r} is no e-mail address") from error


def _message_id(document: Alert, sender: str, recipient: str) -> str:
    name = sha256(f"{document.alert}\n{document.created_at}\n{recipient}".encode()).hexdigest()
    return f"<{name[:32]}@{sender.rpartition('@')[2]}>"


def _lines(document: Alert) -> Iterator[str]:
    """Return the letter in plain words, line by line."""
    yield from document.sentences
    for heading, listed, count in _parts(document):
        yield ""
        yield f"{heading}:"
        yield from (f"- {_UNSEEN.sub(' ', line)}" for line in listed)
        if count > len(listed):
            yield f"- and {count - len(listed)} more"
    yield ""
    yield _closing(document)


def _parts(document: Alert) -> Iterator[tuple[str, list[str], int]]:
    if document.own_books_fault_count:
        faults = [f"{one.kind}, {one.subject}: {one.text}" for one in document.own_books_faults]
        yield "Faults of the hub's own books", faults, document.own_books_fault_count
    if document.case_count:
        cases = [
            f"{one.case_id} ({one.what}) {one.registry}: {one.summary}" for one in document.cases
        ]
        yield "Cases", cases, document.case_count
    if document.unanswered_count:
        silent = [
            f"{one.registry}: {one.result}{f', {one.reason}' if one.reason else ''}"
            for one in document.unanswered
        ]
        yield "Without answer", silent, document.unanswered_count


def _closing(document: Alert) -> str:
    if document.night is not None:
        return f"The report: itmo-hub reconcile report {document.night}"
    if document.session is not None:
        return f"The result: itmo-hub reconcile result {document.session}"
    return f"Sent by {document.hub} at {document.created_at}."


def _page(document: Alert) -> str:
    """Return the letter as a page that fetches nothing."""
    body: list[Markup] = [tag("p", sentence) for sentence in document.sentences]
    for heading, listed, count in _parts(document):
        items = [tag("li", line) for line in listed]
        if count > len(listed):
            items.append(tag("li", f"and {count - len(listed)} more"))
        body += [tag("h3", heading), tag("ul", *items)]
    body.append(tag("p", tag("small", _closing(document))))
    head = tag("head", tag("meta", charset="utf-8"), tag("style", Markup(_STYLE)))
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', *body), lang='en')}\n"

"""What an administrator signs: one statement about one deed, at one hub, good for one use.

    {"format":"itmo-act-statement/1","statement_id":…,"hub":…,"log":…,"says":…,"proposal":…,
     "kind":…,"subject":…,"parameters":…,"reason":…,"actor":…,"at":…}

1. ``says`` is do, propose, approve or reject: no statement of one sort passes for another.
2. ``log`` is the SHA-256 of the log's first entry, lower hex: a statement for one hub's database
   means nothing at another's. ``proposal`` is the SHA-256 of the proposal's bytes for approvals and
   rejections, else null; an approval repeats the whole deed, so its signer signs what will be done.
3. The payload has one form (members sorted, no white space); any other spelling is refused, so that
   two readers never see two things in it. The carrier is a JWS of type ``itmo-act+jws`` with one
   signature; no envelope has this type.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from hub.services.administration.deeds import AdministrationError, Deed, canonical
from keys.errors import KeysError
from keys.jws import JwsSignature, open_signed, sign
from keys.signer import Signer
from message_schemas import timestamps

TYP: Final = "itmo-act+jws"
FORMAT: Final = "itmo-act-statement/1"
STATEMENT_BYTES_MAX: Final = 256 * 1024


class Says(StrEnum):
    """What an administrator says of a deed."""

    DO = "do"
    PROPOSE = "propose"
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Place:
    """Which hub and which log a statement is for."""

    hub: str
    log: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, unsigned. ``proposal`` is a digest for approvals and rejections, else None."""

    statement_id: str
    place: Place
    says: Says
    deed: Deed
    reason: str
    actor: str
    at: datetime
    proposal: str | None = None

    def payload(self) -> bytes:
        """Return the exact bytes that are signed."""
        return canonical(
            {
                "format": FORMAT,
                "statement_id": self.statement_id,
                "hub": self.place.hub,
                "log": self.place.log,
                "says": self.says.value,
                "proposal": self.proposal,
                "kind": self.deed.kind,
                "subject": self.deed.subject,
                "parameters": self.deed.parameters,
                "reason": self.reason,
                "actor": self.actor,
                "at": timestamps.render(self.at),
            }
        )


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement as it was read; its signature is not checked yet."""

    statement: Statement
    signature: JwsSignature
    raw: bytes


class _Payload(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    format: str
    statement_id: str
    hub: str
    log: str
    says: Says
    proposal: str | None
    kind: str
    subject: str
    parameters: dict[str, Any]
    reason: str
    actor: str
    at: str


def sign_statement(statement: Statement, signer: Signer) -> bytes:
    """Return the signed statement. Raises keys.errors.SignerError, AdministrationError."""
    try:
        return sign(statement.payload(), TYP, [signer])
    except ValueError as error:
        raise AdministrationError(f"this key cannot sign statements: {error}") from error


def read_statement(raw: bytes) -> SignedStatement:
    """Read a signed statement without believing it. Raises AdministrationError."""
    try:
        opened = open_signed(raw, TYP, jws_bytes_max=STATEMENT_BYTES_MAX)
        said = msgspec.json.decode(opened.payload, type=_Payload)
        at = timestamps.parse(said.at)
    except KeysError as error:
        raise AdministrationError(f"this is no signed statement: {error.detail}") from error
    except (ValueError, RecursionError) as error:
        raise AdministrationError(f"this is no statement about an act: {error}") from error
    if len(opened.signatures) != 1:
        raise AdministrationError("a statement has one signature, its administrator's")
    statement = Statement(
        statement_id=said.statement_id,
        place=Place(said.hub, said.log),
        says=said.says,
        deed=Deed(said.kind, said.subject, said.parameters),
        reason=said.reason,
        actor=said.actor,
        at=at,
        proposal=said.proposal,
    )
    if said.format != FORMAT or statement.payload() != opened.payload:
        raise AdministrationError(f"a statement has the one form of {FORMAT}, and this one has not")
    return SignedStatement(statement, opened.signatures[0], raw)

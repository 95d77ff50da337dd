"""Whose word an act needs, and whether what was signed is exactly what is done.

1. While no administrator is registered, an act needs a name and a reason only, and no statement
   counts. From the first administrator on, every act is a statement signed by one.
2. Where two or more may do a deed, some take two (``kinds``): one proposes, another approves. Who
   alone may do it does it alone; the act's document then shows one statement.
3. A statement counts if its signature is that of an administrator as of now, under their own name,
   for this hub and this log, about this deed and nothing else, with this reason, fresh, and never
   used before.
4. It counts for the kinds of deeds that its signer's role has the right to (``people.roles``), be
   it to do, to propose, to approve or to reject.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection

from hub.services.administration.deeds import Act, AdministrationError, Deed
from hub.services.administration.statements import (
    Place,
    Says,
    SignedStatement,
    Statement,
    read_statement,
)
from hub.services.people.roles import RIGHTS, Role, may_sign, right_for
from hub.store import administrators, log
from hub.store.administrators import AdministratorRow
from keys.errors import SignatureInvalidError
from keys.jws import check_signature
from message_schemas import timestamps


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges statements in one transaction. ``fresh`` is how old or early one may be."""

    connection: Connection
    place: Place
    administrators: Sequence[AdministratorRow]
    fresh: timedelta

    @classmethod
    def of(cls, connection: Connection, hub: str, fresh: timedelta) -> "Judge":
        """Return the judge of this database, with its administrators as of now."""
        return cls(connection, place_of(connection, hub), administrators.active(connection), fresh)

    def require_none(self) -> None:
        """Raise AdministrationError if acts need signatures."""
        if self.administrators:
            names = ", ".join(row.name for row in self.administrators)
            raise AdministrationError(
                f"this hub has administrators ({names}), so every act is signed by one: give "
                "--as NAME and --signer URI, or set ITMO_HUB_ADMINISTRATOR and "
                "ITMO_HUB_ADMINISTRATOR_SIGNER"
            )

    def who_may(self, kind: str) -> list[AdministratorRow]:
        """Return the administrators whose signature counts for a kind of act."""
        return [row for row in self.administrators if may_sign(row.role, kind)]

    def takes_two(self, deed: Deed, by_kind: bool) -> bool:
        """Tell whether a deed of a kind that takes two has anybody who could approve it."""
        return by_kind and len(self.who_may(deed.kind)) > 1

    def require(
        self, raw: bytes, says: Says, deed: Deed, act: Act, *, proposal: bytes | None = None
    ) -> SignedStatement:
        """Return a statement that says exactly this and was not used yet; else raise.

        ``proposal`` are the bytes an approval or a rejection is about. Raises AdministrationError.
        """
        signed = read_statement(raw)
        said = signed.statement
        row = self.require_signature(signed)
        expected = Statement(
            statement_id=said.statement_id,
            place=self.place,
            says=says,
            deed=deed,
            reason=act.reason,
            actor=act.actor,
            at=said.at,
            proposal=None if proposal is None else sha256(proposal).hexdigest(),
        )
        if said.payload() != expected.payload():
            raise AdministrationError(
                f"{said.actor} signed something else than what is to be done: "
                f"{_difference(said, expected)}"
            )
        require_right(row, deed.kind)
        if abs(said.at - act.at) > self.fresh:
            raise AdministrationError(
                f"the statement was signed at {timestamps.render(said.at)}; it counts for "
                f"{self.fresh.total_seconds():.0f} s. Sign a new one, and look at the clock"
            )
        self.require_unused(said.statement_id)
        return signed

    def require_signature(self, signed: SignedStatement) -> AdministratorRow:
        """Return the administrator who signed, in their own name and for this log; else raise."""
        said, key_id = signed.statement, signed.signature.key_id
        by_key = {row.key.key_id: row for row in self.administrators}
        row = by_key.get(key_id)
        if row is None:
            raise AdministrationError(
                f"{key_id} is not the key of an administrator (`itmo-hub administrator list`)"
            )
        try:
            check_signature(signed.signature, row.key)
        except SignatureInvalidError as error:
            raise AdministrationError(f"the statement was changed: {error.detail}") from error
        if row.name != said.actor:
            raise AdministrationError(f"signed with the key of {row.name}, as {said.actor[:100]!r}")
        if said.place != self.place:
            raise AdministrationError(
                f"the statement is for another hub's log ({said.place.hub[:5]}, "
                f"{said.place.log[:16]}), not for {self.place.hub}, {self.place.log[:16]}"
            )
        return row

    def require_unused(self, statement_id: str) -> None:
        """Raise AdministrationError unless this is an id that nothing was done with yet."""
        try:
            known = str(UUID(statement_id)) == statement_id
        except ValueError:
            known = False
        if not known:
            raise AdministrationError("the id of a statement is a UUID in its usual form")
        used = administrators.used_at(self.connection, statement_id)
        if used is not None:
            raise AdministrationError(
                f"this statement was used already, for the act at log index {used}; none counts "
                "twice"
            )


def require_right(row: AdministratorRow, kind: str) -> None:
    """Raise AdministrationError if an administrator's role has not the right to a kind of act."""
    if may_sign(row.role, kind):
        return
    right = right_for(kind)
    able = ", ".join(role for role in Role if right in RIGHTS[role])
    raise AdministrationError(
        f"{row.name} has the role {row.role}, whose signature does not count for {kind}: that "
        f"takes the right to {right} ({able}). Ask somebody who has it "
        "(`itmo-hub administrator list`)"
    )


def place_of(connection: Connection, hub: str) -> Place:
    """Return which hub and log statements for this database name."""
    genesis = log.entry_at(connection, 0)
    assert genesis is not None, "every database begins with the log's first entry"
    return Place(hub, sha256(genesis).hexdigest())


def _difference(said: Statement, expected: Statement) -> str:
    """Return which parts differ."""
    parts = [
        name
        for name in ("place", "says", "proposal", "reason", "actor")
        if getattr(said, name) != getattr(expected, name)
    ]
    if said.deed.canonical() != expected.deed.canonical():
        parts.append("deed")
    return ", ".join(parts)

"""Signing in with a provider: whoever it says came back, if we know them.

A person is the provider's issuer and subject, nothing else: names and addresses change hands. The
first link is made by an invitation; nobody is made by signing in.
"""

from collections.abc import Mapping
from datetime import datetime

import structlog

from hub.services.people import limits
from hub.services.people.flows import Flow, Flows, Kind
from hub.services.people.invitations import InvitationOverError, Invitations
from hub.services.people.provider import Departure, ProviderError
from hub.services.people.sessions import OIDC, digest_of
from hub.services.people.sign_in import REFUSED, SET_UP, Opened, SignIn, SignInRefusedError, Visitor
from hub.store.database import Database
from hub.store.people import persons

log = structlog.get_logger(__name__)


class ProviderSignIn:
    """The steps around a provider. ``begin`` and ``finish`` block, as the database does."""

    def __init__(
        self, database: Database, sign_in: SignIn, invitations: Invitations, issuer: str
    ) -> None:
        self._database = database
        self._sign_in = sign_in
        self._invitations = invitations
        self._flows = Flows(database)
        self._issuer = issuer

    def admit(self, invitation: str | None, visitor: Visitor, now: datetime) -> None:
        """Let somebody ask for the way to the provider, before it is asked anything.

        Raises InvitationOverError, BlockedError.
        """
        with self._database.writing() as connection:
            limits.charge(connection, limits.of_start(visitor.address), now)
        if invitation is not None:
            self._invitations.look(invitation, visitor, now)

    def begin(
        self,
        departure: Departure,
        to: str,
        invitation: str | None,
        now: datetime,
    ) -> str:
        """Return the token of the step. ``to`` is the page to go to afterwards.

        Raises TooManyFlowsError.
        """
        data = {
            "callback": departure.callback,
            "state": departure.state,
            "nonce": departure.nonce,
            "verifier": departure.verifier,
            "to": to,
            # Its digest: who reads the database can use no invitation.
            "invitation": None if invitation is None else digest_of(invitation).hex(),
        }
        return self._flows.begin(Kind.PROVIDER, None, data, now)

    def take(self, flow_token: str, now: datetime) -> Flow:
        """Return the step of a browser that came back; it is over. Raises FlowOverError."""
        return self._flows.take(flow_token, Kind.PROVIDER, now)

    def finish(self, flow: Flow, subject: str, visitor: Visitor, now: datetime) -> Opened:
        """Begin the session of a subject. Raises SignInRefusedError, InvitationOverError."""
        buckets = limits.of_address(visitor.address)
        self._sign_in.charge(buckets, now)
        invitation = flow.data["invitation"]
        if invitation is not None:
            self._link(bytes.fromhex(invitation), subject, visitor, now)
        with self._database.reading() as connection:
            row = persons.by_subject(connection, self._issuer, subject)
        if row is None or not row.is_active:
            why = "nobody is linked to this subject" if row is None else f"they are {row.state}"
            self._sign_in.note(REFUSED, OIDC, visitor, now, row, why)
            raise SignInRefusedError(why)
        self._sign_in.refund(buckets, now)
        return self._sign_in.open(row, OIDC, visitor, now)

    def refused(self, error: ProviderError, visitor: Visitor, now: datetime) -> None:
        """Write down that a provider's answer did not count."""
        log.warning("provider_refused", reason=str(error)[:500])
        self._sign_in.note(REFUSED, OIDC, visitor, now, None, str(error))

    def _link(self, invitation: bytes, subject: str, visitor: Visitor, now: datetime) -> None:
        with self._database.writing() as connection:
            row = persons.by_invitation(connection, invitation, now)
            if row is None or not persons.accept_invitation(
                connection, invitation, now, oidc=(self._issuer, subject)
            ):
                raise InvitationOverError
        self._sign_in.note(SET_UP, OIDC, visitor, now, row, "linked with the provider")


def departure_of(flow: Flow) -> Departure:
    """Return what a browser was sent with."""
    data: Mapping[str, str] = flow.data
    return Departure("", data["callback"], data["state"], data["nonce"], data["verifier"])

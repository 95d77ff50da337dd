"""What Parties authorize: cooperative approaches, ITMOs, entities, and how much of a cap is used.

An authorization is versioned; a change does not reach units that are first transferred unless its
terms say so (4/CMA.6 para 7). Its scope is asked by the predicates here, one a question, so that a
refusal can name the question. An empty list of Parties, entities, sectors or activity types means
"any" (4/CMA.6 para 5(b), (m), (n)).

The cap (para 5(h)) counts what becomes first transferred, the part in flight included: what was
counted when proposed cannot be refused when completed.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from hub.international_registry import purposes


class FirstTransferDefinition(StrEnum):
    """What a Party specified as first transfer for OIMP (2/CMA.3 a.2(b))."""

    AUTHORIZATION = "authorization"
    ISSUANCE = "issuance"
    USE_OR_CANCELLATION = "use_or_cancellation"


class ApproachStatus(StrEnum):
    """Whether a cooperative approach takes new transfers."""

    ACTIVE = "active"
    ENDED = "ended"


class AuthorizationStatus(StrEnum):
    """Whether an authorization stands."""

    IN_FORCE = "in_force"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class NdcPeriod:
    """The NDC implementation period of a Party: first to last year, both included."""

    party: str
    first_year: int
    last_year: int


@dataclass(frozen=True, slots=True)
class CooperativeApproach:
    """A cooperative approach in one version, under its identifier of the platform (``CA0003``)."""

    cooperative_approach: str
    version: int
    title: str
    participating_parties: tuple[str, ...]
    oimp_first_transfer_definition: FirstTransferDefinition | None
    ndc_periods: tuple[NdcPeriod, ...]
    status: ApproachStatus

    def ndc_period(self, party: str, year: int) -> NdcPeriod | None:
        """Return the Party's NDC implementation period that has the year, or None."""
        for period in self.ndc_periods:
            if period.party == party and period.first_year <= year <= period.last_year:
                return period
        return None


@dataclass(frozen=True, slots=True)
class Authorization:
    """An authorization of ITMOs in one version (4/CMA.6 para 5; fields as in its record message).

    ``quantity_max`` counts units; None is no cap. ``valid_until`` is the last day in force.
    """

    authorization_id: str
    version: int
    cooperative_approach: str
    authorizing_party: str
    authorized_on: date
    purposes: str
    oimp_authorized: str | None
    authorized_parties: tuple[str, ...]
    authorized_entities: tuple[str, ...]
    quantity_max: int | None
    metric: str
    non_ghg_metric: str | None
    gwp_values: str | None
    sectors: tuple[str, ...]
    activity_types: tuple[str, ...]
    vintage_first: int
    vintage_last: int
    valid_from: date
    valid_until: date | None
    first_transfer_definition: FirstTransferDefinition | None
    changes_apply_to_first_transferred: bool
    terms: str | None
    status: AuthorizationStatus

    def is_in_force(self, on: date) -> bool:
        """Tell whether it stands on that day (4/CMA.6 para 5(c))."""
        return (
            self.status is AuthorizationStatus.IN_FORCE
            and self.valid_from <= on
            and (self.valid_until is None or on <= self.valid_until)
        )

    def covers_purpose(self, purpose: str) -> bool:
        """Tell whether the purpose code is within the authorized purposes (para 5(e))."""
        return purposes.covers(self.purposes, purpose)

    def covers_party(self, party: str) -> bool:
        """Tell whether the Party may acquire or use (para 5(b)); the authorizing Party may."""
        listed = self.authorized_parties
        return not listed or party in listed or party == self.authorizing_party

    def covers_entity(self, entity_id: str) -> bool:
        """Tell whether the entity may acquire or use (para 5(b); 3/CMA.3 a.45)."""
        return not self.authorized_entities or entity_id in self.authorized_entities

    def covers_vintage(self, vintage: int) -> bool:
        """Tell whether the vintage is covered (para 5(k))."""
        return self.vintage_first <= vintage <= self.vintage_last

    def covers_sector(self, sector: str) -> bool:
        """Tell whether the sector is covered (para 5(m))."""
        return not self.sectors or sector in self.sectors

    def covers_activity_type(self, activity_type: str | None) -> bool:
        """Tell whether the activity type is covered (para 5(n)); none stated fits only "any"."""
        return not self.activity_types or activity_type in self.activity_types

    def covers_metric(self, metric: str, non_ghg_metric: str | None) -> bool:
        """Tell whether the units are measured as authorized (para 5(l))."""
        return (metric, non_ghg_metric) == (self.metric, self.non_ghg_metric)


@dataclass(frozen=True, slots=True)
class AuthorizedEntity:
    """An entity that a Party authorized to take part in a cooperative approach."""

    entity_id: str
    version: int
    authorizing_party: str
    cooperative_approach: str
    name: str
    country_of_incorporation: str
    authorized_on: date
    conditions: str | None
    status: AuthorizationStatus


def definition_in_force(
    authorization: Authorization, approach: CooperativeApproach | None
) -> FirstTransferDefinition | None:
    """Return the OIMP first-transfer definition: the approach's, else the authorization's own.

    There is one per cooperative approach (4/CMA.6 para 15); the authorization's is used where the
    approach was recorded without one.
    """
    if approach is not None and approach.oimp_first_transfer_definition is not None:
        return approach.oimp_first_transfer_definition
    return authorization.first_transfer_definition


@dataclass(frozen=True, slots=True)
class AuthorizationUsage:
    """How many units of an authorization are first transferred, and how many are about to be.

    Quantities count only units that are, or by a transfer in flight will be, first transferred.
    Every method returns a new usage; a quantity that was never counted raises ValueError.
    """

    first_transferred: int = 0
    reserved: int = 0

    def __post_init__(self) -> None:
        if self.first_transferred < 0 or self.reserved < 0:
            raise ValueError(f"usage below zero: {self.first_transferred}, {self.reserved}")

    @property
    def total(self) -> int:
        """Return what counts against the cap."""
        return self.first_transferred + self.reserved

    def proposed(self, quantity: int) -> "AuthorizationUsage":
        """Count units that a transfer in flight will make first transferred."""
        return AuthorizationUsage(self.first_transferred, self.reserved + quantity)

    def completed(self, quantity: int) -> "AuthorizationUsage":
        """Turn units in flight into first transferred ones."""
        return AuthorizationUsage(self.first_transferred + quantity, self.reserved - quantity)

    def released(self, quantity: int) -> "AuthorizationUsage":
        """Give back units in flight: their transfer came to nothing."""
        return AuthorizationUsage(self.first_transferred, self.reserved - quantity)

    def recorded(self, quantity: int) -> "AuthorizationUsage":
        """Count units that became first transferred at once, by a use or a cancellation say."""
        return AuthorizationUsage(self.first_transferred + quantity, self.reserved)


def quantity_left(authorization: Authorization, usage: AuthorizationUsage) -> int | None:
    """Return how many more units may become first transferred (para 5(h)); None without a cap.

    Negative when a later version lowered the cap below what is already counted.
    """
    if authorization.quantity_max is None:
        return None
    return authorization.quantity_max - usage.total


def exceeds_cap(authorization: Authorization, usage: AuthorizationUsage, quantity: int) -> bool:
    """Tell whether that many more first-transferred units are more than authorized."""
    left = quantity_left(authorization, usage)
    return left is not None and quantity > left

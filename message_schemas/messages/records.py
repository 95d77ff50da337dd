"""Records that later checks rest on: cooperative approaches, authorizations, entities.

Each record has a version; a change is a new version of the whole record (4/CMA.6 paras 7-10).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from message_schemas.extensions import Extensions

FirstTransferDefinition: TypeAlias = Literal["authorization", "issuance", "use_or_cancellation"]
"""What counts as first transfer for OIMP (2/CMA.3 annex, para 2(b))."""


@dataclass(frozen=True, slots=True)
class NdcPeriod:
    """A Party's NDC implementation period in whole years (2/CMA.3 annex, para 8(b))."""

    party: str
    first_year: int
    last_year: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CooperativeApproachRecord:
    """A cooperative approach with its Parties and its one OIMP definition (4/CMA.6 para 15)."""

    cooperative_approach: str
    version: int
    title: str
    participating_parties: tuple[str, ...]
    ndc_periods: tuple[NdcPeriod, ...]
    status: Literal["active", "ended"]
    oimp_first_transfer_definition: FirstTransferDefinition | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRecord:
    """An authorization of use, with the content 4/CMA.6 para 5 asks for.

    ``purposes`` is one code (``NDC and OIMP``). Empty ``authorized_parties`` or
    ``authorized_entities`` mean any (annex II, table 2). ``quantity_max`` is in ``metric``.
    """

    authorization_id: str
    version: int
    cooperative_approach: str
    authorizing_party: str
    authorized_on: str
    purposes: str
    authorized_parties: tuple[str, ...]
    authorized_entities: tuple[str, ...]
    metric: str
    sectors: tuple[str, ...]
    activity_types: tuple[str, ...]
    vintage_first: int
    vintage_last: int
    valid_from: str
    changes_apply_to_first_transferred: bool
    status: Literal["in_force", "revoked"]
    oimp_authorized: str | None = None
    quantity_max: int | None = None
    non_ghg_metric: str | None = None
    gwp_values: str | None = None
    valid_until: str | None = None
    first_transfer_definition: FirstTransferDefinition | None = None
    terms: str | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityAuthorizationRecord:
    """An entity a Party authorizes (4/CMA.6 annex II, table 5).

    ``entity_id`` is its identification number in the country of incorporation.
    """

    entity_id: str
    version: int
    authorizing_party: str
    cooperative_approach: str
    name: str
    country_of_incorporation: str
    authorized_on: str
    status: Literal["in_force", "revoked"]
    conditions: str | None = None
    extensions: Extensions | None = None

"""Who trades in the console's benchmark: 200 registries, a few very busy and most nearly idle."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Final

from babel import Locale
from babel.core import get_global
from sqlalchemy import Connection

from hub import bootstrap
from hub.config import Settings
from hub.international_registry.units import Attributes
from hub.international_registry.units import Series as LedgerSeries
from hub.protocol.signed_objects import SigningKeys
from hub.services.administration.administration import Administration
from hub.services.administration.deeds import Act
from hub.services.administration.participants import add_participant, change_state
from hub.store.interning import Interning
from hub.store.reference import ParticipantRow
from keys.public_keys import KeyRecord, PublicKey
from reconciliation.owned import Owned
from tests.integration.peers import seeded_signer

HUB: Final = "XHB01"
REGISTRIES: Final = 200
DAYS: Final = 3 * 365
BODY_DAYS: Final = 30
VINTAGES: Final = tuple(range(2021, 2026))
APPROACHES: Final = tuple(f"CA{number:04}" for number in range(1, 61))
SECTORS: Final = ("Transportation", "Energy industries", "Waste management", "Forestry")


@dataclass(frozen=True)
class Size:
    """How much there is to be; ``last_day`` is the day after which the console looks at it."""

    transfers: int
    cases: int
    last_day: datetime

    @classmethod
    def of_today(cls, transfers: int, cases: int) -> "Size":
        """Return a size whose last day is today."""
        return cls(transfers, cases, datetime.combine(datetime.now(UTC), time(), UTC))

    @property
    def closed_cases(self) -> int:
        """Return how many cases were worked and closed in the three years."""
        return self.cases * 10

    @cached_property
    def days(self) -> list[datetime]:
        """Return the midnights of all days, oldest first."""
        return [self.last_day - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]


def cast() -> list[str]:
    """Return the registries' codes, the busiest first."""
    territories = Locale("en").territories
    known = sorted(
        code
        for code, (alpha2, *more) in get_global("territory_aliases").items()
        if len(code) == 3 and code.isalpha() and not more and alpha2 in territories
        if not code.startswith("X")
    )
    chosen = random.Random(6).sample(known, REGISTRIES)
    return [f"{party}01" for party in chosen]


def weights() -> list[float]:
    """Return how busy each registry is: the first does a sixth of everything."""
    return [1 / (place + 1) for place in range(REGISTRIES)]


def name_of(code: str) -> str:
    """Return a registry's name."""
    alpha2 = get_global("territory_aliases")[code[:3]][0]
    return f"National registry of {Locale('en').territories[alpha2]}"


def owned_of(lot: int, status: str = "held") -> Owned:
    """Return what both sides own of units of a lot; the lots are ``attributes_of``."""
    made = attributes_of(lot)
    return (
        *(status, "yes", made.metric, made.mitigation_type, made.authorization_id),
        *(str(made.authorization_version), made.sector, made.activity_type),
        *(made.non_ghg_metric, made.gwp_values, made.underlying_registry, None, None),
    )


def attributes_of(lot: int) -> Attributes:
    """Return the attributes of one of the lots that are traded."""
    return Attributes(
        metric="GHG",
        mitigation_type="Emission reductions" if lot % 5 else "Removals",
        authorization_id=f"AUTH-{2021 + lot % 5}-{lot:03}",
        authorization_version=1,
        sector=SECTORS[lot % len(SECTORS)],
        activity_type=None if lot % 3 else "Transport",
    )


@dataclass(slots=True)
class Market:
    """What is traded: each registry's series, by number, and the lots."""

    series: dict[int, LedgerSeries]
    of_registry: dict[str, list[int]]
    lots: list[int]


def open_market(connection: Connection, codes: Sequence[str]) -> Market:
    """Intern the series and attributes: of each registry two approaches, five vintages."""
    interning = Interning()
    series: dict[int, LedgerSeries] = {}
    of_registry: dict[str, list[int]] = {}
    for place, code in enumerate(codes):
        for approach in {APPROACHES[place % 60], APPROACHES[(place * 7 + 3) % 60]}:
            for vintage in VINTAGES:
                one = LedgerSeries(approach, code, code[:3], vintage)
                number = interning.series_id(connection, one)
                series[number] = one
                of_registry.setdefault(code, []).append(number)
    lots = [interning.attributes_id(connection, attributes_of(lot)) for lot in range(60)]
    return Market(series, of_registry, lots)


def register(database_url: str, codes: Sequence[str], at: datetime) -> None:
    """Create the schema and register everybody with a key each, as an operator does."""
    settings = Settings(database_url=database_url)
    database = bootstrap.open_database(settings, create=True)
    keys = SigningKeys.of([seeded_signer(HUB)])
    bootstrap.ensure_own_participants(database, settings, keys, at)
    administration = Administration(database)
    act = Act(actor="bench", reason="takes part", at=at)
    for place, code in enumerate(codes):
        row = ParticipantRow(
            code=code,
            party=code[:3],
            kind="party_registry",
            name=name_of(code),
            state="registered",
            delivery_mode="pull",
            endpoint=None,
            binding="json",
            suites=(),
            added_at=at,
            last_seen_at=None,
        )
        public = PublicKey.from_der(code, seeded_signer(code).public_key_der)
        administration.do(add_participant(row, [KeyRecord.of(public, at)]), act)
        if place < REGISTRIES - 6:  # the last ones have not finished joining
            administration.do(change_state(code, "activate"), act)
    database.dispose()

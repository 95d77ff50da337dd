"""A mechanism registry that lives from a seed: it issues, and its units go their ways. PURE.

1. An issuance is authorized in full or in part. Its shares are taken at once, of authorized and
   contribution units; the issuance line says how much of them is contribution units, or is silent
   and the shares are in proportion. What is left is forwarded, held, retired or cancelled.
2. Contribution units stay with the activity's participants. Some are authorized later, in whole or
   in part: the shares follow, and what was held may be forwarded from then on.
3. Every act is a line of the feed, and an entry of the registry's own books: what it holds, and
   what happened. Both are told by the same acts, so that they never disagree.

All names and quantities are made up. The same seed gives the same registry.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from connectors.mechanism_registry.feeds.example import ExampleWorld
from connectors.mechanism_registry.feeds.rows import (
    AuthorizationChangeLine,
    BlockKind,
    CancellationKind,
    CancellationLine,
    ContributionLine,
    IssuanceLine,
    RetirementLine,
    Row,
    Span,
    UnitBlockLine,
)
from connectors.mechanism_registry.issuances.shares import ShareRules
from message_schemas import timestamps

ISSUED_UNITS_MIN: Final = 1_000
ISSUED_UNITS_MAX: Final = 20_000
FORWARDINGS_MAX: Final = 4
EXEMPT_CHANCE: Final = 0.1
WHOLE_CHANCE: Final = 0.4
CONTRIBUTION: Final = "contribution"
BEGINNING: Final = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass(slots=True)
class Holding:
    """Units of one issuance in one account of the registry; the account's Party beside it."""

    issuance: IssuanceLine
    span: Span
    account: str
    party: str
    status: str
    first_transfer: str | None = None


@dataclass(slots=True)
class Contribution:
    """The contribution units of an issuance that may still be authorized; empty runs are None."""

    issuance: IssuanceLine
    held: Span | None
    sop: Span | None
    omge: Span | None


@dataclass(slots=True)
class RegistryBooks:
    """The registry's books: the feed's lines so far, what is held, what happened.

    ``history`` entries are as the views show them, with ``from_party`` and ``to_party``.
    """

    seed: int
    world: ExampleWorld = field(default_factory=ExampleWorld)
    retiring_parties: Sequence[str] = ("CHE",)
    lines: list[Row] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    _later: list[Contribution] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _serials: dict[int, int] = field(default_factory=dict)
    _chance: random.Random = field(init=False)
    _minutes: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311  # no secret

    @property
    def now(self) -> str:
        """Return the registry's own time, UTC; it moves with each act."""
        return timestamps.render(BEGINNING + timedelta(minutes=self._minutes))

    def live(self, issuances: int) -> "RegistryBooks":
        """Issue so many times, and let older units go on in between; return these books."""
        for _ in range(issuances):
            self._issue()
            while self._later and self._chance.random() < 0.5:
                self._authorize_later(self._later.pop(0))
        return self

    # --- an issuance ---------------------------------------------------------------------------

    def _issue(self) -> None:
        issuance, sop, omge = self._new_issuance()
        self._add(issuance)
        span = self._take_serials(issuance.vintage, issuance.issued_quantity)
        self._happened(issuance, "issued", span, issuance.issuance_id)
        parts = _cut(span, self._quantities(issuance, sop, omge))
        self._share(issuance, BlockKind.SOP_ADAPTATION, parts["sop"])
        self._share(issuance, BlockKind.OMGE, parts["omge"])
        self._keep(issuance, BlockKind.SOP_ADAPTATION, parts["sop_kept"])
        self._keep(issuance, BlockKind.OMGE, parts["omge_kept"])
        self._keep(issuance, BlockKind.HELD, parts["held"])
        if parts["held"] is not None:
            kept = (parts["held"], parts["sop_kept"], parts["omge_kept"])
            self._later.append(Contribution(issuance, *kept))
        self._rest(issuance, parts["rest"])

    def _new_issuance(self) -> tuple[IssuanceLine, int, int]:
        """Return an issuance, and how much of the two shares is contribution units."""
        world, chance, rules = self.world, self._chance, ShareRules()
        issued = chance.randint(ISSUED_UNITS_MIN, ISSUED_UNITS_MAX)
        whole = chance.random() < WHOLE_CHANCE
        authorized = issued if whole else int(issued * chance.uniform(0.3, 0.9))
        exempt = chance.random() < EXEMPT_CHANCE
        sop, omge = rules.sop_due(issued, exempt=exempt), rules.omge_due(issued)
        sop_kept = sop - sop * authorized // issued
        omge_kept = omge - omge * authorized // issued
        stated = not whole and chance.random() < 0.5
        if stated:
            most = issued - authorized  # at least a tenth: more than both shares, if just so
            sop_kept = chance.randint(0, min(sop, most))
            omge_kept = chance.randint(0, min(omge, most - sop_kept))
        issuance = IssuanceLine(
            issuance_id=self._number("issuance"),
            activity_id=f"A64-{world.host_party}-{chance.randint(1, 400):04}",
            host_party=world.host_party,
            cooperative_approach=world.cooperative_approach,
            vintage=chance.choice(world.vintages),
            issued_quantity=issued,
            authorized_quantity=authorized,
            sop_quantity=sop,
            sop_exempt=exempt,
            omge_quantity=omge,
            issued_at=self.now,
            sop_exemption="LDC" if exempt else None,
            sop_exemption_waived=None if exempt or chance.random() < 0.9 else True,
            sop_contribution_quantity=sop_kept if stated else None,
            omge_contribution_quantity=omge_kept if stated else None,
        )
        return issuance, sop_kept, omge_kept

    @staticmethod
    def _quantities(issuance: IssuanceLine, sop: int, omge: int) -> dict[str, int]:
        """Return the parts of an issuance, in the order of their serials."""
        contribution = issuance.issued_quantity - issuance.authorized_quantity
        parts = {
            "sop": issuance.sop_quantity - sop,
            "omge": issuance.omge_quantity - omge,
            "sop_kept": sop,
            "omge_kept": omge,
            "held": contribution - sop - omge,
        }
        return parts | {"rest": issuance.issued_quantity - sum(parts.values())}

    def _share(self, issuance: IssuanceLine, kind: BlockKind, span: Span | None) -> None:
        """Take authorized units of a share: they leave, first transferred."""
        account = {
            BlockKind.SOP_ADAPTATION: self.world.adaptation_account,
            BlockKind.OMGE: self.world.omge_account,
        }[kind]
        if span is not None:
            self._forward(issuance, span, account, kind)

    def _keep(self, issuance: IssuanceLine, kind: BlockKind, span: Span | None) -> None:
        """Keep contribution units, as part of a share or with the activity's participants."""
        if span is None:
            return
        row = ContributionLine(
            **_of(issuance, span),
            first_transfer_id=self._number("transfer"),
            kind=kind,
            authorization_status=CONTRIBUTION,
            first_serial=span[0],
            last_serial=span[1],
            metric="GHG",
        )
        self._add(row)
        account, party = self._participants_account(issuance)
        self.holdings.append(Holding(issuance, span, account, party, CONTRIBUTION))

    def _rest(self, issuance: IssuanceLine, span: Span | None) -> None:
        """Let authorized units go: most are forwarded, some end here, some are held on."""
        if span is None:
            return
        length = span[1] - span[0] + 1
        pieces = min(length, self._chance.randint(1, FORWARDINGS_MAX) + 2)
        cuts = sorted(self._chance.sample(range(1, length), pieces - 1))
        bounds = [0, *cuts, length]
        for low, high in pairwise(bounds):
            piece = (span[0] + low, span[0] + high - 1)
            way = self._chance.random()
            if way < 0.65:
                account = self._chance.choice(self.world.accounts)
                self._forward(issuance, piece, account, BlockKind.FORWARDING)
            elif way < 0.8:
                self._end(issuance, piece, retire=True)
            elif way < 0.9:
                self._end(issuance, piece, retire=False)
            else:
                account, party = self._participants_account(issuance)
                self.holdings.append(Holding(issuance, piece, account, party, "authorized"))

    def _forward(self, issuance: IssuanceLine, span: Span, account: str, kind: BlockKind) -> None:
        reference = self._number("transfer")
        row = UnitBlockLine(
            **_of(issuance, span),
            **self._authorized(),
            first_transfer_id=reference,
            kind=kind,
            first_serial=span[0],
            last_serial=span[1],
            authorization_status="authorized",
            acquiring_account=account,
        )
        self._add(row)
        done = "forwarded" if kind is BlockKind.FORWARDING else f"share_{kind.value}"
        moved = {"to_registry": "XIR01", "to_account": account}
        self._happened(issuance, done, span, reference, **moved)

    def _end(self, issuance: IssuanceLine, span: Span, *, retire: bool) -> None:
        """Retire units for a Party's NDC, or cancel them for OMGE, in its account here."""
        party = self._chance.choice(self.retiring_parties)
        account, reference = f"{party}-M-1", self._number("action")
        common = {
            **_of(issuance, span),
            **self._authorized(),
            "action_id": reference,
            "first_serial": span[0],
            "last_serial": span[1],
            "account": account,
            "account_party": party,
        }
        row: Row
        if retire:
            year = issuance.vintage + 1
            row = RetirementLine(**common, using_party=party, purpose="NDC", calendar_year=year)
        else:
            kind = CancellationKind.OMGE
            row = CancellationLine(**common, cancelling_party=party, cancellation_kind=kind)
        self._add(row)
        status, event = ("used", "international_transfer") if retire else ("cancelled", "omge")
        self.holdings.append(Holding(issuance, span, account, party, status, event))
        done = "retired" if retire else "cancelled"
        places = {"from_account": account, "from_party": party, "to_registry": "XMR01"}
        self._happened(issuance, done, span, reference, **places)

    # --- a later authorization -----------------------------------------------------------------

    def _authorize_later(self, kept: Contribution) -> None:
        """Authorize contribution units, all or some; then forward those that were held."""
        share = self._chance.choice((1.0, 1.0, self._chance.uniform(0.2, 0.8)))
        held, held_left = _split(kept.held, share, up=False)
        sop, sop_left = _split(kept.sop, share, up=True)
        omge, omge_left = _split(kept.omge, share, up=True)
        spans = [span for span in (held, sop, omge) if span is not None]
        if not spans:
            return
        issuance, reference = kept.issuance, self._number("change")
        runs = {
            **_named("", held),
            **_named("sop_", sop, self.world.adaptation_account),
            **_named("omge_", omge, self.world.omge_account),
        }
        values = _of(issuance, spans[0]) | {"quantity": sum(map(_length, spans))}
        row = AuthorizationChangeLine(
            **values, **self._authorized(), **runs, change_id=reference, changed_at=self.now
        )
        self._add(row)
        for span in spans:
            self._happened(issuance, "authorized", span, reference)
            self._take_out(issuance, span)
        if held_left is not None and self._chance.random() < 0.3:
            self._later.append(Contribution(issuance, held_left, sop_left, omge_left))
        if held is not None:
            account = self._chance.choice(self.world.accounts)
            self._forward(issuance, held, account, BlockKind.FORWARDING)

    def _take_out(self, issuance: IssuanceLine, span: Span) -> None:
        """Take contribution units out of the account that held them."""
        for index, holding in enumerate(self.holdings):
            inside = holding.span[0] <= span[0] and span[1] <= holding.span[1]
            same = holding.issuance.issuance_id == issuance.issuance_id
            if inside and same and holding.status == CONTRIBUTION:
                rest = [(holding.span[0], span[0] - 1), (span[1] + 1, holding.span[1])]
                self.holdings[index : index + 1] = [
                    replace(holding, span=part) for part in rest if part[0] <= part[1]
                ]
                return

    # --- small parts ---------------------------------------------------------------------------

    def _participants_account(self, issuance: IssuanceLine) -> tuple[str, str]:
        return f"{issuance.host_party}-M-{issuance.activity_id[-4:]}", issuance.host_party

    def _authorized(self) -> dict[str, Any]:
        world = self.world
        return {
            "metric": "GHG",
            "mitigation_type": "Emission reductions",
            "authorization_id": world.authorization_id,
            "authorization_version": world.authorization_version,
            "sector": world.sector,
            "activity_type": world.activity_type,
            "gwp_values": "AR5",
        }

    def _number(self, kind: str) -> str:
        """Return the next id: issuances are numbered apart, all other acts together."""
        counter = "issuance" if kind == "issuance" else "act"
        number = self._numbers.get(counter, self.world.first_number)
        self._numbers[counter] = number + 1
        return f"{self.world.mechanism_registry}-{number}"

    def _take_serials(self, vintage: int, quantity: int) -> Span:
        first = self._serials.get(vintage, self.world.first_serial)
        self._serials[vintage] = first + quantity
        return first, first + quantity - 1

    def _add(self, row: Row) -> None:
        self.lines.append(row)
        self._minutes += 1

    def _happened(
        self, issuance: IssuanceLine, kind: str, span: Span, reference: str, **places: str
    ) -> None:
        """Enter what happened to units."""
        self.history.append(
            {
                "kind": kind,
                "cooperative_approach": issuance.cooperative_approach,
                "originating_registry": self.world.mechanism_registry,
                "first_transferring_party": issuance.host_party,
                "vintage": issuance.vintage,
                "first_serial": span[0],
                "last_serial": span[1],
                "quantity": _length(span),
                "reference": reference,
                "occurred_at": self.now,
                **places,
            }
        )


def _of(issuance: IssuanceLine, span: Span) -> dict[str, Any]:
    """Return what a line of units takes from its issuance, and its quantity."""
    names = ("issuance_id", "activity_id", "host_party", "cooperative_approach", "vintage")
    values = {name: getattr(issuance, name) for name in names}
    return values | {"quantity": _length(span)}


def _length(span: Span) -> int:
    return span[1] - span[0] + 1


def _cut(span: Span, quantities: dict[str, int]) -> dict[str, Span | None]:
    """Return the runs of serials that parts get, one after the other; None for nothing."""

    def runs() -> Iterator[tuple[str, Span | None]]:
        first = span[0]
        for name, quantity in quantities.items():
            yield name, (first, first + quantity - 1) if quantity else None
            first += quantity

    return dict(runs())


def _split(span: Span | None, share: float, *, up: bool) -> tuple[Span | None, Span | None]:
    """Return the part of a run that a share takes, and what is left."""
    if span is None:
        return None, None
    length = _length(span)
    taken = min(length, int(length * share) + (up and share < 1))
    if not taken:
        return None, span
    rest = (span[0] + taken, span[1]) if taken < length else None
    return (span[0], span[0] + taken - 1), rest


def _named(prefix: str, span: Span | None, account: str | None = None) -> dict[str, Any]:
    """Return a run as fields of a line."""
    if span is None:
        return {}
    fields: dict[str, Any] = {f"{prefix}first_serial": span[0], f"{prefix}last_serial": span[1]}
    return fields if account is None else fields | {f"{prefix}account": account}

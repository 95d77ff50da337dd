"""Random trade between registries with real books, repeated by its seed."""

import random
from collections import Counter
from collections.abc import Mapping

from sqlalchemy import Connection

from connectors.party_registry import book_commands, book_store, commands
from connectors.party_registry.commands import CommandError
from connectors.party_registry.requests import (
    AnswerRequest,
    CancellationRequest,
    CancelTransferRequest,
    IssueRequest,
    RangeRequest,
    TransferRequest,
    UseRequest,
)
from connectors.party_registry.tracking import Transfer, list_transfers
from connectors.party_registry.units import TERMINAL
from tests.connectors.party_registry.beside_ledger import BookKeeper
from tests.integration.peers import approach, authorization

TERMS: dict[str, tuple[str, str | None]] = {
    "NDC": ("NDC", None),
    "BOTH": ("NDC and OIMP", "use_or_cancellation"),
    "USE": ("OIMP", "use_or_cancellation"),
    "ISSUED": ("OIMP", "issuance"),
    "AUTHORIZED": ("NDC and OIMP", "authorization"),
}
ISSUERS = ("THA01", "GHA01")


class Market:
    """Four registries and what they may do to each other, drawn by a seed."""

    def __init__(self, keepers: Mapping[str, BookKeeper], seed: int) -> None:
        self.dice = random.Random(seed)
        self.keepers = keepers
        self.done: Counter[str] = Counter()
        for code in ISSUERS:
            self._authorize(self.keepers[code])

    def close(self) -> None:
        """Close all files."""
        for keeper in self.keepers.values():
            keeper.close()

    def _authorize(self, keeper: BookKeeper) -> None:
        said = [approach()] if keeper.code == "THA01" else []
        for name, (purposes, definition) in TERMS.items():
            type_, body = authorization(keeper.code[:3], f"{keeper.code[:2]}-{name}")
            body |= {"purposes": purposes}
            if purposes != "NDC":
                body |= {"oimp_authorized": "CORSIA"}
            if definition is not None:
                body |= {"first_transfer_definition": definition}
            said.append((type_, body))
        for type_, body in said:
            keeper.submit(type_, body)
        assert {one.outcome for one in keeper.send()} == {"accepted"}

    def step(self) -> str:
        """Let one of them do something; what is not allowed changes nothing."""
        keeper = self.keepers[self.dice.choice(list(self.keepers))]
        act = self.dice.choices(
            [self.issue, self.propose, self.answer, self.withdraw, self.use, self.cancel],
            [2, 5, 6, 1, 2, 2],
        )[0]
        if act == self.answer:
            with_mail = [one for one in self.keepers.values() if one.read(_incoming)]
            keeper = self.dice.choice(with_mail or [keeper])
        keeper.settle()
        try:
            act(keeper)
        except CommandError as error:
            self.done[f"{act.__name__}: {str(error)[:60]}"] += 1
        self.done.update(
            one.outcome if not one.findings else f"{one.name}: {one.findings[0].text[:80]}"
            for one in keeper.send()
        )
        for other in self.keepers.values():
            if self.dice.random() < 0.5:  # mail waits now and then
                other.settle()
        return act.__name__

    def settle(self) -> None:
        """Deliver everything."""
        for _ in range(3):
            for keeper in self.keepers.values():
                keeper.settle()

    def issue(self, _keeper: BookKeeper) -> None:
        """Issue units under one of the authorizations, with or without underlying units."""
        issuer = self.keepers[self.dice.choice(ISSUERS)]
        serial = self.dice.randint(1, 10**9)
        unit = {
            "registry": "VCS",
            "first_unit_id": f"VCS-{serial}",
            "last_unit_id": f"VCS-{serial}-9",
        }
        request = IssueRequest(
            account=issuer.account,
            authorization=f"{issuer.code[:2]}-{self.dice.choice(list(TERMS))}",
            vintage=self.dice.choice([2022, 2023]),
            quantity=self.dice.randint(1, 40),
            activity_type="Transport",
            underlying_unit=self.dice.choice([None, None, None, unit]),
        )
        issuer.do(lambda t: book_commands.issue(t, request))

    def some_ranges(self, keeper: BookKeeper) -> tuple[list[RangeRequest], bool]:
        """Return a part of one or two blocks of a registry; and a purpose: whether the NDC."""
        every = keeper.read(book_store.fetch_holdings)
        blocks = [b for b in every if b.reserved_by is None and b.status not in TERMINAL]
        chosen = self.dice.sample(blocks, min(len(blocks), self.dice.choice([1, 1, 2])))
        ranges = []
        for one in chosen:
            first = self.dice.randint(one.first, one.last)
            last = self.dice.randint(first, one.last)
            named = RangeRequest(first_id=one.span.render(first), last_id=one.span.render(last))
            ranges.append(named)
        if not ranges:
            raise CommandError("nothing here")
        names = chosen[0].attributes
        only_ndc, only_other = "-NDC" in names, "-USE" in names or "-ISSUED" in names
        return ranges, only_ndc or (not only_other and self.dice.random() < 0.5)

    def propose(self, keeper: BookKeeper) -> None:
        """Propose a transfer of units, or notify one that moves none."""
        ranges, towards_ndc = self.some_ranges(keeper)
        recipient = self.dice.choice([code for code in self.keepers if code != keeper.code])
        request = TransferRequest(
            recipient=recipient,
            cooperative_approach="CA0001",
            from_account=keeper.account,
            to_account=self.keepers[recipient].account,
            purpose="NDC" if towards_ndc else "OIMP",
            ranges=ranges,
            adjustment_method="averaging" if self.dice.random() < 0.25 else None,
        )
        keeper.do(lambda t: commands.propose(t, request))

    def _open_transfers(self, keeper: BookKeeper, direction: str) -> Transfer:
        found = keeper.read(
            lambda c: list_transfers(c, state="proposed", direction=direction, limit=1000)
        )
        found = [one for one in found if one.answer is None]
        if not found:
            raise CommandError("nothing to answer")
        return self.dice.choice(found)

    def answer(self, keeper: BookKeeper) -> None:
        """Accept an incoming transfer, or now and then reject it."""
        transfer = self._open_transfers(keeper, "incoming")
        accept = self.dice.random() < 0.8
        request = AnswerRequest(reasons=[] if accept else ["no"])
        keeper.do(
            lambda t: commands.answer(
                t, transfer.transfer_id, request, accept=accept, has_book=True
            )
        )

    def withdraw(self, keeper: BookKeeper) -> None:
        """Withdraw an outgoing transfer; the answer may have come first."""
        transfer = self._open_transfers(keeper, "outgoing")
        request = CancelTransferRequest(reason="no")
        keeper.do(lambda t: commands.cancel(t, transfer.transfer_id, request))

    def use(self, keeper: BookKeeper) -> None:
        """Use units, towards the NDC or for another purpose."""
        ranges, towards_ndc = self.some_ranges(keeper)
        request = UseRequest(
            account=keeper.account,
            cooperative_approach="CA0001",
            purpose="NDC" if towards_ndc else "IMP",
            calendar_year=2025 if towards_ndc else None,
            oimp_purpose=None if towards_ndc else "CORSIA",
            ranges=ranges,
        )
        keeper.do(lambda t: book_commands.use_units(t, request))

    def cancel(self, keeper: BookKeeper) -> None:
        """Cancel units, voluntarily or for OMGE."""
        request = CancellationRequest(
            account=keeper.account,
            cooperative_approach="CA0001",
            kind=self.dice.choice(["voluntary", "omge", "other"]),
            ranges=self.some_ranges(keeper)[0],
        )
        keeper.do(lambda t: book_commands.cancel_units(t, request))


def _incoming(connection: Connection) -> bool:
    found = list_transfers(connection, state="proposed", direction="incoming", limit=1000)
    return any(transfer.answer is None for transfer in found)

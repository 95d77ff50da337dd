"""The deed that decides how a registry is compared with the ledger."""

from typing import Final

from hub.services.administration.deeds import AdministrationError, Deed, require_same
from hub.services.administration.doing import Doing
from hub.store.reconciliation import links
from hub.store.reconciliation.links import MODES, Mode

SET_MODE: Final = "reconciliation.mode"


def set_mode(registry: str, mode: str) -> Deed:
    """Compare a registry by digests, totals, statements, records alone, or not at all."""
    return Deed(SET_MODE, registry, {"mode": str(mode)})


def do_set_mode(doing: Doing, deed: Deed) -> None:
    """Write the mode; digests made with another key than the new mode's are built anew."""
    registry, mode = deed.subject, _mode(deed.parameters["mode"])
    require_same(set_mode(registry, mode), deed)
    known = doing.data.participants.get(registry)
    if known is None:
        raise AdministrationError(f"there is no participant {registry}")
    if known.kind != "party_registry":
        raise AdministrationError(
            f"{registry} is a {known.kind}; Party registries alone are compared with the ledger"
        )
    before = links.mode_of(links.load(doing.connection, registry))
    links.set_mode(doing.connection, registry, mode)
    if (before == "digests") != (mode == "digests"):
        links.forget_table(doing.connection, registry)


def _mode(text: str) -> Mode:
    for mode in MODES:
        if mode == text:
            return mode
    raise AdministrationError(f"the mode {text[:20]!r} is not one of {', '.join(MODES)}")

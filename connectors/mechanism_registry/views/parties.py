"""Whose registry a participant is, by the hub's signed list as it was believed last."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from connectors.session import state
from hub.protocol.envelopes import PARTICIPANTS_TYP
from keys.jws import open_signed


def party_of(connection: Connection, participant: str) -> str | None:
    """Return the Party (alpha-3 code) of a participant; None if the list does not name it."""
    raw = state.load(connection, state.PARTICIPANTS)
    if raw is None:
        return None
    # Its signature was verified before it was stored (``connectors.session.participants``).
    document: Any = msgspec.json.decode(open_signed(raw, PARTICIPANTS_TYP).payload)
    found = (one for one in document["participants"] if one["code"] == participant)
    return next((one.get("party") for one in found), None)

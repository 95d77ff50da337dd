"""Participants speaking as such: who they are, and notes between their administrators."""

from dataclasses import dataclass
from typing import Literal

from message_schemas.extensions import Extensions


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantHello:
    """What a participant's software can do, and how it wants its deliveries.

    ``code_lists`` is the date of the newest nomenclature it knows (6/CMA.4 annex I, para 17(b)).
    """

    software: str
    protocol_versions: tuple[str, ...]
    binding: Literal["json", "xml"]
    delivery_mode: Literal["push", "pull"]
    code_lists: str | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministratorNote:
    """Free text from one registry administrator to another (6/CMA.4 annex I, para 17(c))."""

    subject: str
    text: str
    refers_to: str | None = None
    extensions: Extensions | None = None

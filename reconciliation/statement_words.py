"""The words of a holdings statement: headings, statuses and yes/no, as registries write them.

1. A heading is compared by its letters and digits alone, in any case: ``First serial``,
   ``FIRST_SERIAL`` and ``first-serial`` are one. ``authoris…`` is read as ``authoriz…``.
2. A status or a yes/no is compared in any case, with runs of spaces, hyphens and underscores as one
   space. The tables cover the six languages of the United Nations, German and Portuguese; an
   officer may add words for one statement.
3. What is ``left out`` are units that were never transferred: the hub was not told of them, so they
   are not compared (``reconciliation.owned``).
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from message_schemas import code_lists
from reconciliation.owned import OWNED

SERIES_COLUMNS: Final = (
    "cooperative_approach",
    "originating_registry",
    "first_transferring_party",
    "vintage",
)
SERIAL_COLUMNS: Final = ("first_serial", "last_serial")
ID_COLUMNS: Final = ("first_id", "last_id")
COLUMNS: Final = (
    "registry",
    *SERIES_COLUMNS,
    *SERIAL_COLUMNS,
    *ID_COLUMNS,
    "quantity",
    *OWNED,
)
"""Everything that a statement may have a column of."""

LEFT_OUT: Final = "left out"

_OTHER_HEADINGS: Final = {
    "registry": ("holding registry", "registry code"),
    "cooperative_approach": ("approach", "cooperative approach id"),
    "originating_registry": ("originating party registry", "originating registry id"),
    "first_transferring_party": ("first transferring participating party",),
    "vintage": ("vintage year",),
    "first_serial": ("first serial number", "serial start", "start serial", "from serial"),
    "last_serial": ("last serial number", "serial end", "end serial", "to serial"),
    "first_id": ("first unit identifier", "first identifier", "first unit", "itmo start id"),
    "last_id": ("last unit identifier", "last identifier", "last unit", "itmo end id"),
    "quantity": ("units", "number of units", "quantity t co2 eq"),
    "status": ("unit status",),
    "first_transferred": ("is first transferred",),
    "authorization_id": ("authorization",),
    "sector": ("sectors",),
    "activity_type": ("activity types",),
    "gwp_values": ("gwp", "gwp value"),
    "underlying_registry": ("underlying unit registry", "underlying unit registry id"),
    "underlying_first": ("underlying unit start id", "underlying first unit id"),
    "underlying_last": ("underlying unit end id", "underlying last unit id"),
}

_STATUS_WORDS: Final = {
    "held": (
        *("held", "holding", "active", "available", "in circulation", "itmo"),
        *("détenu", "détenue", "détenus", "détenues", "en possession", "actif", "disponible"),
        *("en posesión", "tenido", "tenida", "activo", "activa"),
        *("удерживается", "в наличии", "находится на счете", "محتفظ به", "محتفظ بها", "持有"),
        *("gehalten", "im bestand", "detido", "detida", "em posse", "ativo", "ativa"),
    ),
    "used": (
        *("used", "used towards ndc", "used for ndc", "retired"),
        *("utilisé", "utilisée", "utilisés", "utilisées"),
        *("utilizado", "utilizada", "utilizados", "utilizadas", "usado", "usada"),
        *("использовано", "использованы", "использован", "مستخدم", "مستخدمة", "已使用"),
        *("verwendet", "genutzt", "stillgelegt"),
    ),
    "cancelled": (
        *("cancelled", "canceled", "voluntarily cancelled"),
        *("annulé", "annulée", "annulés", "annulées"),
        *("cancelado", "cancelada", "cancelados", "canceladas", "anulado", "anulada"),
        *("аннулировано", "аннулированы", "аннулирован", "ملغى", "ملغاة", "已注销", "已取消"),
        *("gelöscht", "annulliert"),
    ),
    LEFT_OUT: (
        *("authorized", "authorised", "issued", "not first transferred", "not transferred"),
        *("autorisé", "autorisée", "délivré", "délivrée", "autorizado", "autorizada", "expedido"),
        *("разрешено", "введено в обращение", "مأذون به", "已授权", "已签发", "autorisiert"),
    ),
}
_YES_WORDS: Final = {
    "yes": ("yes", "y", "true", "1", "oui", "vrai", "sí", "si", "да", "نعم", "是", "ja", "sim"),
    "no": ("no", "n", "false", "0", "non", "faux", "нет", "لا", "否", "nein", "não", "nao"),
}

_CODED: Final = ("metric", "mitigation_type", "sector", "activity_type", "underlying_registry")


def heading_key(text: str) -> str:
    """Return what a heading is compared by: its letters and digits, small."""
    small = unicodedata.normalize("NFKC", text).casefold()
    key = "".join(letter for letter in small if letter.isalnum())
    return key.replace("authoris", "authoriz")


def word_key(text: str) -> str:
    """Return what a status or a yes/no is compared by."""
    small = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\s_-]+", " ", small).strip()


def _by_key(words: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    return MappingProxyType({word_key(w): value for value, said in words.items() for w in said})


HEADINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        heading_key(heading): column
        for column in COLUMNS
        for heading in (column, *_OTHER_HEADINGS.get(column, ()))
    }
)
"""Columns by the keys of their headings."""


def words_of_status() -> Mapping[str, tuple[str, ...]]:
    """Return the known words by status, as they are written; those left out by ``LEFT_OUT``."""
    return MappingProxyType(_STATUS_WORDS)


STATUSES: Final = _by_key(_STATUS_WORDS)
"""``held``, ``used``, ``cancelled`` or ``LEFT_OUT`` by the keys of words."""

YES_OR_NO: Final = _by_key(_YES_WORDS)

# A code in another case is the same code: the lists have none that differ in case alone.
CODES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        name: {word_key(str(value)): str(value) for value in code_lists.values(name)}
        for name in _CODED
    }
)
"""Codes of the common nomenclatures by column and by their keys."""

"""The algebra of purposes: a code of the purpose list stands for a set of single purposes.

``NDC`` and ``IMP`` and ``OP`` are single; ``OIMP`` is ``IMP`` and ``OP`` together (2/CMA.3 a.1(f));
"NDC and OIMP" is all three. The list itself is dated data that may grow: a part that is not known
here stands for itself, and whatever is not ``NDC`` counts as an other purpose.
"""

from functools import lru_cache
from typing import Final

NDC: Final = "NDC"
IMP: Final = "IMP"
OP: Final = "OP"
OIMP: Final = "OIMP"


@lru_cache(maxsize=256)
def single_purposes(code: str) -> frozenset[str]:
    """Return the single purposes a code stands for, ``{"NDC", "IMP", "OP"}`` at most today."""
    singles: set[str] = set()
    for part in code.split(" and "):
        singles |= {IMP, OP} if part == OIMP else {part}
    return frozenset(singles)


def covers(authorized: str, wanted: str) -> bool:
    """Tell whether what is authorized includes all that is wanted (4/CMA.6 para 5(e))."""
    return single_purposes(wanted) <= single_purposes(authorized)


def includes_ndc(code: str) -> bool:
    """Tell whether use towards an NDC is among the purposes."""
    return NDC in single_purposes(code)


def includes_other(code: str) -> bool:
    """Tell whether an other international mitigation purpose (IMP, OP) is among the purposes."""
    return bool(single_purposes(code) - {NDC})

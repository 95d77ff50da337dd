"""Empty holdings statements for a registry to fill in: CSV, or a workbook with notes."""

import csv
import io
from pathlib import Path
from typing import Final

from hub.services.administration.deeds import AdministrationError
from hub.services.reconciliation.statements.statement_workbooks import write_workbook
from reconciliation.owned import OWNED
from reconciliation.statement_words import (
    ID_COLUMNS,
    SERIAL_COLUMNS,
    SERIES_COLUMNS,
    words_of_status,
)

COLUMNS: Final = (*ID_COLUMNS, *SERIES_COLUMNS, *SERIAL_COLUMNS, "quantity", *OWNED)

_OF_SERIES: Final = (
    "Leave this column out, or fill it in beside FIRST_ID and LAST_ID: it is checked."
)
_NOTES: Final = {
    "first_id": "First unit of the block, in full: CA0003-GHA01-GHA-1001-2023. A row is one block.",
    "last_id": "Last unit of the block, in full. It differs from the first in the serial alone.",
    "cooperative_approach": f"CA0003. {_OF_SERIES}",
    "originating_registry": f"Registry in which the units originate: GHA01. {_OF_SERIES}",
    "first_transferring_party": f"GHA. {_OF_SERIES}",
    "vintage": f"Year of the mitigation, a number and not a date: 2023. {_OF_SERIES}",
    "first_serial": f"1001. {_OF_SERIES}",
    "last_serial": f"2000. {_OF_SERIES}",
    "quantity": "Number of units: last serial less first serial plus 1. Mandatory.",
    "first_transferred": "yes or no.",
    "metric": "GHG or non-GHG.",
    "mitigation_type": "As in the list of common nomenclatures: Emission reductions.",
    "authorization_id": "Of the authorization the units rest on.",
    "authorization_version": "A whole number.",
    "sector": "As in the list of common nomenclatures: Energy generation.",
    "activity_type": "As in the list of common nomenclatures; empty if there is none.",
    "non_ghg_metric": "The metric, if METRIC is non-GHG; else empty.",
    "gwp_values": "Source of the values of global warming potential; empty if there is none.",
    "underlying_registry": "Registry of the units behind this block; empty if there are none.",
    "underlying_first": "First unit behind this block, as that registry writes it.",
    "underlying_last": "Last unit behind this block, as that registry writes it.",
}
_GENERAL: Final = (
    "A column of attributes (from STATUS on) that is left out is not compared; the result says so.",
    "Without STATUS the statement lists the units that are held, and says nothing of used ones.",
    "List no units that were never transferred, used or cancelled: the hub was not told of them.",
    "Write values, no formulas; split merged cells. Serials of more than 15 digits are texts.",
)


def write_template(path: Path) -> None:
    """Write an empty statement to a new file, CSV or a workbook by its suffix.

    Raises AdministrationError for another suffix, OSError if the file is there already.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".xlsx"):
        raise AdministrationError(f"a template is a .csv or a .xlsx file, not {path.name[:60]!r}")
    headings = [column.upper() for column in COLUMNS]
    if suffix == ".csv":
        text = io.StringIO(newline="")
        csv.writer(text).writerow(headings)
        content = text.getvalue().encode()
    else:
        workbook = io.BytesIO()
        write_workbook(workbook, headings, [], notes())
        content = workbook.getvalue()
    with path.open("xb") as file:
        file.write(content)


def notes() -> list[tuple[str, str]]:
    """Return what is to be known of a statement: (column or nothing, sentence)."""
    told = {column: _NOTES.get(column, "") for column in COLUMNS}
    told["status"] = "; ".join(
        f"{status}: {', '.join(words)}" for status, words in words_of_status().items()
    )
    return [(column.upper(), text) for column, text in told.items()] + [
        ("", text) for text in _GENERAL
    ]

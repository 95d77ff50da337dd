"""Write the generated parts of protocol.md and operating.md from the code they describe.

    python -m docs.generate_protocol_tables

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end: NAME -->``; everything else is
written by hand and kept. The tests fail when a committed part is not what this script makes.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Final

from docs.worked_example import CODES, SENTENCE, Step, example_signer, steps
from hub.checks.decision import CHECKS
from hub.checks.rulebook import RULES, Severity
from hub.config import Settings
from hub.http.problems import RETRIED, STATUS
from hub.protocol.limits import Limits
from hub.protocol.response_codes import Stage
from hub.protocol.transfer_states import FINAL_STATES, TRANSITIONS
from hub.services.metrics import Metrics
from keys import base64url
from message_schemas import code_lists
from message_schemas.catalogue import MESSAGE_TYPES, NOTICE_TYPES
from message_schemas.schema_files import DOCUMENTS

FOLDER: Final = Path(__file__).resolve().parent
PART: Final = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
STRUCTURES: Final = (
    *("block", "block_range", "underlying_unit", "ndc_period", "reason"),
    *("series_name", "series_windows", "series_digests", "series_blocks", "owned_values"),
    *("series_totals", "units_total", "recorded_transfer"),
    *("reconciliation_finding", "record_finding"),
)

Schema = Mapping[str, Any]


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table; a bar inside a cell is escaped."""
    names = list(columns)
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


# --- schemas -----------------------------------------------------------------------------------


def _form(schema: Schema) -> str:
    """Say in a few words what values a field takes."""
    if "$ref" in schema:
        file, _, pointer = str(schema["$ref"]).partition("#")
        name = pointer.rpartition("/")[2] or file.removesuffix(".schema.json")
        return f"`{name}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"always `{schema['const']}`"
    kind = schema.get("type", "any")
    if kind == "array":
        lengths = f"{schema.get('minItems', 0)} to {schema.get('maxItems', 'any number')}"
        return f"list of {lengths}: {_form(schema['items'])}"
    names = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return names + _bounds(schema)


def _bounds(schema: Schema) -> str:
    """Return the limits of a string or whole number, in brackets."""
    parts = []
    if "minimum" in schema:
        parts.append(f"{schema['minimum']} to {schema.get('maximum', 'any')}")
    if "maxLength" in schema:
        parts.append(f"{schema.get('minLength', 0)} to {schema['maxLength']} characters")
    if "pattern" in schema:
        parts.append(f"`{schema['pattern']}`")
    return f" ({', '.join(parts)})" if parts else ""


def _fields(schema: Schema) -> str:
    """Return the table of an object's fields, the required ones marked."""
    required = set(schema.get("required", ()))
    rows = [
        (
            f"`{name}`",
            "yes" if name in required else "",
            _form(field),
            field.get("description") or _described(field),
        )
        for name, field in schema["properties"].items()
    ]
    return table(("field", "required", "form", "meaning"), rows)


def _described(field: Schema) -> str:
    """Return the description of the common form that a field refers to."""
    name = str(field.get("$ref", "")).rpartition("/")[2]
    common = DOCUMENTS["common"]["$defs"]
    return str(common[name].get("description", "")) if name in common else ""


def _objects_in(schema: Schema) -> str:
    """Return the field tables of the objects inside an object's lists."""
    text = ""
    for name, field in schema["properties"].items():
        items = field.get("items", {})
        if "properties" in items:
            text += f"\nEach of `{name}`:\n\n{_fields(items)}{_objects_in(items)}"
    return text


def payload(name: str) -> str:
    """Return the fields of the envelope, the receipt or the delivery."""
    return _fields(DOCUMENTS[name]) + _objects_in(DOCUMENTS[name])


def forms() -> str:
    """Return the table of the common forms that the field tables name."""
    common = DOCUMENTS["common"]["$defs"]
    rows = [
        (f"`{name}`", _form(schema), schema.get("description", ""))
        for name, schema in common.items()
        if name not in STRUCTURES and not name.startswith("json_")
    ]
    return table(("form", "JSON", "meaning"), rows)


def structures() -> str:
    """Return the field tables of the common objects."""
    common = DOCUMENTS["common"]["$defs"]
    parts = [
        f"**`{name}`** — {common[name]['description']}\n\n{_fields(common[name])}"
        for name in STRUCTURES
    ]
    return "\n".join(parts)


def messages() -> str:
    """Return one section for each message type."""
    parts = []
    for name, type_ in MESSAGE_TYPES.items():
        schema = DOCUMENTS[name]
        to = "the hub" if type_.recipient == "hub" else "the other participant"
        senders = ", ".join(f"`{kind}`" for kind in sorted(type_.senders))
        kind = "Read-only." if type_.read_only else "Recorded."
        parts.append(
            f"### `{name}`\n\n{type_.summary} {kind} Version {type_.version}, to {to}, from "
            f"{senders}.\n\n{schema['description']}\n\n{_fields(schema)}"
        )
    return "\n".join(parts)


def notices() -> str:
    """Return one section for each notice type."""
    parts = [
        f"### `{name}`\n\n{type_.summary} {DOCUMENTS[name]['description']}\n\n"
        f"{_fields(DOCUMENTS[name])}"
        for name, type_ in NOTICE_TYPES.items()
    ]
    return "\n".join(parts)


# --- rules -------------------------------------------------------------------------------------


def codes() -> str:
    """Return the tables of response codes, one a stage."""
    text = ""
    for stage in Stage:
        rows = [
            (
                rule.number,
                f"`{rule.name}`",
                "warning" if rule.severity is Severity.WARNING else "",
                f"{rule.text} *{rule.remedy}*",
                "; ".join(rule.paragraphs),
                rule.des_ancestor or "",
            )
            for rule in sorted(RULES.values(), key=lambda rule: rule.number)
            if rule.stage is stage
        ]
        columns = ("code", "name", "", "rule, and *remedy*", "paragraph", "DES")
        text += f"**{stage}**\n\n{table(columns, rows)}\n"
    return text


def stages() -> str:
    """Return the table of the stages that each message type goes through."""
    rows = [(f"`{name}`", " → ".join(stage for stage, _ in row)) for name, row in CHECKS.items()]
    return table(("message type", "stages, in order"), rows)


def problems() -> str:
    """Return the table of problem documents, by status and code."""
    rows = [
        (
            status,
            int(code),
            f"`{code.name}`",
            "**retry** the same bytes" if status in RETRIED else "final",
        )
        for code, status in sorted(STATUS.items(), key=lambda item: (item[1], item[0]))
    ]
    return table(("status", "code", "name", "the same bytes again?"), rows)


def transfer_states() -> str:
    """Return the table of transitions."""
    rows = [(state, input_, f"**{after}**") for (state, input_), after in TRANSITIONS.items()]
    final = ", ".join(f"**{state}**" for state in sorted(FINAL_STATES))
    return table(("state", "input", "next state"), rows) + f"\nFinal: {final}.\n"


def limits() -> str:
    """Return the table of limits with their defaults."""
    return table(
        ("limit", "default"),
        ((f"`{name}`", f"{value:,}") for name, value in asdict(Limits()).items()),
    )


def lists() -> str:
    """Return the table of code lists in force."""
    rows = []
    for path in sorted(
        (FOLDER.parent / "message_schemas/code_lists" / code_lists.CURRENT).iterdir()
    ):
        values = code_lists.values(path.stem)
        shown = ", ".join(map(str, list(values)[:4])) + (" …" if len(values) > 4 else "")
        rows.append((f"`{path.stem}`", len(values), shown))
    return table(("list", "values", "such as"), rows)


# --- the worked example ------------------------------------------------------------------------


def example() -> str:
    """Return the worked example: keys, and each signed object with payload, bytes and digest."""
    keys = [(code, example_signer(code)) for code in CODES]
    rows = [
        (code, f"`{one.key_id}`", f"`{base64url.encode(one.public_key_der)}`") for code, one in keys
    ]
    intro = f'The seed of a key is the SHA-256 of the ASCII text "{SENTENCE.format("CODE")}".\n\n'
    parts = [intro + table(("participant", "key id", "public key (SPKI)"), rows)]
    known: dict[str, str] = {}
    for step in steps():
        parts.append(_step(step, known))
        known[step.raw.decode("ascii")] = step.name
    return "\n".join(parts)


def _step(step: Step, known: Mapping[str, str]) -> str:
    """Return one signed object; envelopes inside a delivery are named instead of repeated."""
    outer = json.loads(step.raw)
    shown = json.loads(_decoded(outer["payload"]))
    for item in shown.get("items", ()):
        if item.get("envelope") in known:
            item["envelope"] = f"(the bytes of {known[item['envelope']]})"
    header = _decoded(outer["signatures"][0]["protected"]).decode()
    return (
        f"#### {step.name}\n\nSigned by {step.signer}; protected header `{header}`; payload:\n\n"
        f"```json\n{json.dumps(shown, indent=2, ensure_ascii=False)}\n```\n\n"
        f"Exact bytes ({len(step.raw)}), SHA-256 `{step.sha256}`:\n\n"
        f"```text {step.name} {step.typ}\n{step.raw.decode('ascii')}\n```\n"
    )


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- operating ---------------------------------------------------------------------------------


def settings() -> str:
    """Return the table of settings, groups opened up, with defaults."""
    rows: list[tuple[str, str, str]] = []
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        if is_dataclass(default) and not isinstance(default, type):
            rows += [
                (f"`{name}.{inner}`", f"`ITMO_HUB_{name}__{inner}`".upper(), _value(value))
                for inner, value in asdict(default).items()
            ]
        else:
            described = f" — {field.description}" if field.description else ""
            rows.append((f"`{name}`", f"`ITMO_HUB_{name}`".upper(), _value(default) + described))
    return table(("setting", "environment", "default"), rows)


def _value(value: object) -> str:
    if value is None:
        return "off"
    if value == ():
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def metrics() -> str:
    """Return the table of the hub's own metrics."""
    ending = {"counter": "_total"}
    rows = [
        (f"`{family.name}{ending.get(family.type, '')}`", family.type, family.documentation)
        for family in Metrics().registry.collect()
        if family.name.startswith("itmo_")
    ]
    return table(("metric", "kind", "meaning"), rows)


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "limits": limits,
    "forms": forms,
    "structures": structures,
    "envelope": lambda: payload("envelope"),
    "receipt": lambda: payload("receipt"),
    "delivery": lambda: payload("delivery"),
    "messages": messages,
    "notices": notices,
    "problems": problems,
    "transfer-states": transfer_states,
    "stages": stages,
    "codes": codes,
    "code-lists": lists,
    "example": example,
    "settings": settings,
    "metrics": metrics,
}


def rendered(text: str) -> str:
    """Return a document with its generated parts made anew. Raises KeyError for an unknown one."""
    return PART.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]()}\n{match[3]}", text)


def main() -> None:
    """Write both documents."""
    for name in ("protocol.md", "operating.md"):
        path = FOLDER / name
        path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

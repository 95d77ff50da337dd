"""The two plots of a night's report, as SVG inside the page: no script, no picture from elsewhere.

What a colour says, a sign or a number says too: the plots can be read in grey, on paper, and by
those who see no difference between red and green. Colours are the page's own (light and dark).
"""

from collections.abc import Sequence
from typing import Final

from hub.services.reconciliation.reports.night_report import AgeGroup, HistoryLine
from hub.services.reconciliation.reports.report_markup import Markup, joined, svg_leaf, tag

SIGNS: Final = {
    "agreed": "",
    "differs": "≠",
    "silent": "?",
    "refused": "×",
    "failed": "!",
    "asking": "…",
    "missed": "–",
    "none": "",
}
"""The sign of what a night came to, in its cell."""
LABELS: Final = {
    "agreed": "agreed",
    "differs": "findings",
    "silent": "silent",
    "refused": "refused",
    "failed": "failed",
    "asking": "under way",
    "missed": "night missed",
    "none": "not asked",
}
ROWS_A_PLOT: Final = 36
"""Registries in one picture: it has to fit on a page of paper."""

_CELL: Final = 18
_LEFT: Final = 66
_TOP: Final = 30


def heat_map(nights: Sequence[str], lines: Sequence[HistoryLine]) -> list[Markup]:
    """Return pictures of registries by nights, ``ROWS_A_PLOT`` registries in each."""
    return [
        _heat_map(nights, lines[start : start + ROWS_A_PLOT])
        for start in range(0, len(lines), ROWS_A_PLOT)
    ]


def _heat_map(nights: Sequence[str], lines: Sequence[HistoryLine]) -> Markup:
    width = _LEFT + len(nights) * _CELL + 4
    height = _TOP + len(lines) * _CELL + 4
    parts = [tag("title", f"Registries {lines[0].registry} to {lines[-1].registry} by night")]
    parts.extend(_dates(nights))
    for at, line in enumerate(lines):
        y = _TOP + at * _CELL
        label = tag("title", line.name)
        parts.append(
            tag("text", line.registry, label, x=_LEFT - 8, y=y + 13, class_="axis end mono")
        )
        for column, (night, result) in enumerate(zip(nights, line.results, strict=True)):
            x = _LEFT + column * _CELL
            what = tag("title", f"{line.registry}, {night}: {LABELS.get(result, result)}")
            square = svg_leaf("rect", x=x, y=y, width=_CELL - 2, height=_CELL - 2, rx=3)
            sign = tag("text", SIGNS.get(result, ""), x=x + (_CELL - 2) / 2, y=y + 12)
            parts.append(tag("g", what, square, sign, class_=f"cell {_css(result)}"))
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        class_="plot",
    )


def _dates(nights: Sequence[str]) -> list[Markup]:
    """Return the days of the month over the columns, and the month where one begins."""
    parts: list[Markup] = []
    for column, night in enumerate(nights):
        x = _LEFT + column * _CELL + (_CELL - 2) / 2
        _, month, day = night.split("-")
        parts.append(tag("text", day, x=x, y=_TOP - 6, class_="axis middle"))
        if column == 0 or day == "01":
            parts.append(
                tag("text", _MONTHS[int(month) - 1], x=x - 8, y=_TOP - 19, class_="axis strong")
            )
    return parts


_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


def legend(results: Sequence[str]) -> Markup:
    """Return what the cells mean, of those that occur."""
    items = [
        tag("li", tag("span", SIGNS[one], class_=f"swatch {_css(one)}"), f" {LABELS[one]}")
        for one in SIGNS
        if one in results
    ]
    return tag("ul", *items, class_="legend")


def ages(groups: Sequence[AgeGroup]) -> Markup:
    """Return the open cases by age as bars; the part that is late is darker and hatched."""
    left, bar, step, room = 92, 20, 30, 430
    most = max(group.count for group in groups) or 1
    parts = [
        tag("title", "Open cases by age"),
        tag("desc", "; ".join(f"{group.label}: {_told(group)}" for group in groups)),
        _HATCH,
    ]
    for at, group in enumerate(groups):
        y = 4 + at * step
        width = room * group.count / most
        late = room * group.overdue_count / most
        parts.append(tag("text", group.label, x=left - 8, y=y + 14, class_="axis end"))
        if group.count:
            parts.append(
                svg_leaf("rect", x=left, y=y, width=round(width, 1), height=bar, rx=3, class_="bar")
            )
        if late:
            parts.extend(
                svg_leaf("rect", x=left, y=y, width=round(late, 1), height=bar, rx=3, **more)
                for more in ({"class_": "bar late"}, {"fill": "url(#hatch)"})
            )
        said = tag("text", _told(group), x=left + width + 8, y=y + 14, class_="axis")
        parts.append(said)
    height = 4 + len(groups) * step
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 760 {height}",
        width=760,
        height=height,
        role="img",
        class_="plot",
    )


_HATCH: Final = tag(
    "defs",
    tag(
        "pattern",
        svg_leaf("path", d="M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2", class_="hatching"),
        id="hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    ),
)


def _told(group: AgeGroup) -> str:
    if not group.count:
        return "none"
    late = f", {group.overdue_count} late" if group.overdue_count else ""
    return f"{group.count:,}{late} · {group.units:,} units"


def _css(result: str) -> str:
    """Return the class of a result; one that is not known has none of its own."""
    return result if result in SIGNS else "none"


def pictures(parts: list[Markup]) -> Markup:
    """Return pictures one under the other."""
    return joined([tag("div", part, class_="picture") for part in parts])

"""Plots of a run as SVG: bars by name, on a page of any colour. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

_WIDTH, _BAR, _GAP, _LEFT, _TOP = 760, 18, 8, 250, 44
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.t{font-weight:600;font-size:14px}.b{fill:#8c959f}"
    ".o{fill:#0969da}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.b{fill:#6e7681}.o{fill:#4493f8}}"
)


def bars(title: str, values: Sequence[tuple[str, float]], unit: str, ours: str) -> str:
    """Horizontal bars on a logarithmic scale, as what is measured lies a thousandfold apart, each with its value.

    Those whose name begins with `ours` stand out.
    """
    longest = max(value for _, value in values)
    origin = min(value for _, value in values) / 2
    room = _WIDTH - _LEFT - 110
    height = _TOP + len(values) * (_BAR + _GAP) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text class="t" x="0" y="20">{escape(title)} (logarithmic scale)</text>',
    ]
    for number, (name, value) in enumerate(values):
        y = _TOP + number * (_BAR + _GAP)
        kind = "o" if name.startswith(ours) else "b"
        wide = room * math.log(value / origin) / math.log(longest / origin)
        parts.append(
            f'<text x="{_LEFT - 10}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{wide:.1f}" height="{_BAR}" rx="2"/>'
            f'<text x="{_LEFT + wide + 8:.1f}" y="{y + 14}">{value:,.0f} {escape(unit)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"

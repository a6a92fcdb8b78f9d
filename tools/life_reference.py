"""The life of an approval as a diagram, drawn from the table that the decision service goes by."""

from __future__ import annotations

from pathlib import Path

from pdp.api.model import ApprovalState as State
from pdp.approvals.life import LIFE

PAGE = Path(__file__).parent.parent / "docs" / "approvals.md"
_BEGIN = "<!-- drawn by make docs from pdp/approvals/life.py -->\n"
_END = "<!-- end of what is drawn -->\n"


def page() -> str:
    """The page about approvals with the diagram as it is now; `ValueError` when it has no place for it."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} has no place for the diagram")
    return f"{before}{begin}{diagram()}{end}{after}"


def diagram() -> str:
    """Every transition of the table, in Mermaid; several events between two states are one arrow."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, event), after in LIFE.items():
        arrows.setdefault((state, after), []).append(event.value)
    ends = [state for state in State if state not in {before for before, _ in LIFE}]
    lines = [
        f"[*] --> {State.PENDING}: a rule holds a call",
        *(
            f"{state} --> {after}: {'; or '.join(events)}"
            for (state, after), events in arrows.items()
        ),
        *(f"{state} --> [*]" for state in ends),
    ]
    return "```mermaid\nstateDiagram-v2\n" + "".join(f"    {line}\n" for line in lines) + "```\n"

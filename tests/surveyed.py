"""Tools of an imaginary server, surveyed by hand, and tools of one that means ill."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tipstaff.survey.model import Category, Classification, Mark, Risk, Sign
from tipstaff.survey.starter.rules import Surveyed, ordered

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def tool(
    name: str,
    category: Category = Category.READ,
    risk: Risk = Risk.LOW,
    *marks: Mark,
    schema: Any = SCHEMA,
    sure: float = 0.9,
    rationale: str = "Its name says so.",
    attacks: tuple[str, ...] = (),
    signs: tuple[Sign, ...] = (),
) -> Surveyed:
    found = Classification(category, risk, sure, marks, (), rationale)
    definition = {"name": name} | ({} if schema is None else {"inputSchema": schema})
    return Surveyed(name, definition, found, attacks, signs)


def sign(kind: str, excerpt: str = "do not tell the user") -> Sign:
    return Sign(kind, "description, character 4", excerpt, "It speaks to the model.")


FILES = (
    tool("wipe", Category.DESTRUCTIVE, Risk.CRITICAL),
    tool("read_mail", Category.READ, Risk.MEDIUM, Mark.PERSONAL),
    tool("list_files"),
    tool("write_file", Category.WRITE, Risk.MEDIUM),
    tool("run", Category.EXECUTE, Risk.CRITICAL, Mark.FREE_CODE),
    tool("pay", Category.FINANCIAL, Risk.CRITICAL),
    tool("click", Category.EXECUTE, Risk.LOW),
)

POISONED = tool("read_note", Category.READ, Risk.CRITICAL, signs=(sign("instructions_to_model"),))
"""A harmless read by what it does; its text speaks to the model."""


def catalogue(tools: Any) -> dict[str, Any]:
    """Of two tools of one name, which no listing has, the one that the rules are made for."""
    return {"tools": {one.name: {"definition": one.definition} for one in ordered(tools)}}


STRANGE = st.text() | st.sampled_from(
    [
        "a\n  b: {}\n",
        "a\u2028tools: {}",
        "x\x85limits: []",
        "\r\ndefault: allow",
        "# a",
        '": {}',
        "it's",
        "a: b",
        "\ud800",
        "x" * 600,
        "\u202e",
        "\ufeff",
    ]
)
SCHEMAS = st.sampled_from([SCHEMA, None, {"type": "strng"}, {"x-\n: {}": 1}, [], {"$ref": "#/x"}])
STRANGERS = st.lists(
    st.builds(
        tool,
        STRANGE,
        st.sampled_from(Category),
        st.sampled_from(Risk),
        schema=SCHEMAS,
        rationale=STRANGE,
        attacks=st.tuples(STRANGE),
        signs=st.lists(
            st.builds(
                sign, st.sampled_from(["same_name", "oversized_text", "hidden_characters"]), STRANGE
            ),
            max_size=5,
        ).map(tuple),
    ),
    max_size=5,
)

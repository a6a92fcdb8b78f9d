"""What a site's rules may speak of."""

from __future__ import annotations

from tipstaff.lint.site_facts import SiteFacts

CATALOGUE = {
    "bank": {"tools": {"pay": {"definition": {"inputSchema": {"properties": {"a": {}}}}}, "x": {}}}
}
FACTS = SiteFacts(frozenset({"bank", "files"}), CATALOGUE)


def test_tools_are_known_where_every_server_is_listed() -> None:
    """One that is not may have any."""
    assert FACTS.tools({"bank"}) == {"pay", "x"}
    assert FACTS.tools({"bank", "files"}) is None
    assert FACTS.tools(()) is None


def test_a_tool_without_a_schema_may_take_anything() -> None:
    """Nothing is concluded from silence."""
    names = {tool: part.names() for tool, part in FACTS.schemas({"bank"}, {"pay", "x"})}
    assert names == {"pay": ("a",), "x": None}

"""Rules that load and do not hold what they seem to: each is told with its line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.rules.server_rules import validate
from tests.surveyed import FILES
from tipstaff.lint.server_rules import cautions
from tipstaff.survey.starter.presets import Preset
from tipstaff.survey.starter.rules import rules


def tool(category: str, properties: Any, **schema: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, **schema}
    return {"category": category, "definition": {"inputSchema": schema}}


TEXT = {"type": "string"}
CATALOGUE = {
    "tools": {
        "read": tool("Read", {"path": TEXT, "limit": {"type": "integer"}}),
        "move": tool("Write", {"source": TEXT, "destination": TEXT}),
        "many": tool("Read", {"paths": {"type": "array", "items": TEXT}}),
        "copy": tool(
            "Write",
            {"what": {"$ref": "#/$defs/w"}},
            **{"$defs": {"w": {"properties": {"path": TEXT}}}},
        ),
        "kind": tool("Read", {"kind": {"enum": ["small", "medium"]}}),
        "open": tool("Read", {"path": TEXT}, additionalProperties=True),
        "none": tool("Read", {}),
        "wipe": tool("Destructive", {}),
        "mystery": {},
    }
}


def told(text: str, catalogue: Any = CATALOGUE) -> list[str]:
    """What is said of rules that load."""
    validate(text, "data.yaml", catalogue)
    return [str(caution) for caution in cautions(text, "data.yaml", catalogue)]


def of_schema(tool: str, schema: str) -> list[str]:
    start = f"data.yaml:3: tools.{tool}.arguments"
    listed = told(f"tools:\n  {tool}:\n    arguments: {schema}\n")
    assert all(line.startswith(start) for line in listed)
    return [line.removeprefix(start).removeprefix(".") for line in listed]


@pytest.mark.parametrize(
    ("tool", "schema", "says"),
    [
        ("read", "{properties: {file_path: {const: x}}, required: [file_path]}",
         "properties.file_path: read has no argument `file_path`; did you mean `path`?"),
        ("read", "{required: [pathh]}", "required.0: read has no argument `pathh`; did you mean `path`?"),
        ("none", "{required: [path]}", "required.0: none has no argument `path`; none is known"),
        ("copy", "{properties: {what: {properties: {pth: {const: x}}, required: [pth]}}, required: [what]}",
         "properties.what.properties.pth: `what` of copy has no argument `pth`; did you mean `path`?"),
        ("read", "{anyOf: [{required: [pathh]}, {required: [path]}]}", "anyOf.0.required.0: read has no argument `pathh`"),
        ("read", "{if: {properties: {pathh: {const: x}}}, then: {required: [limit]}}", "read has no argument `pathh`"),
        ("many", "{properties: {paths: {type: string}}, required: [paths]}",
         "properties.paths.type: `paths` of many is declared as array; the value is string, so that no call can pass"),
        ("many", "{properties: {paths: {const: /srv}}, required: [paths]}", "is declared as array; the value is string"),
        ("many", "{properties: {paths: {pattern: '^/srv$'}}, required: [paths]}",
         "properties.paths.pattern: `paths` of many is declared as array, and `pattern` says nothing of it"),
        ("many", "{properties: {paths: {items: {type: integer}}}, required: [paths]}",
         "properties.paths.items.type: `paths` of many is declared as string"),
        ("read", "{properties: {path: {maximum: 3}}, required: [path]}", "`maximum` says nothing of it"),
        ("read", "{properties: {limit: {maxLength: 3}}, required: [limit]}", "`maxLength` says nothing of it"),
        ("kind", "{properties: {kind: {enum: [small, medum]}}, required: [kind]}",
         "properties.kind.enum.1: `kind` of kind is never `medum`; did you mean `medium`?"),
        ("read", "{properties: {path: {pattern: /srv/}}, required: [path]}",
         "properties.path.pattern: the pattern does not begin with ^, so that anything may stand before it"),
        ("read", "{properties: {path: {pattern: '^/srv/'}}, required: [path]}",
         "does not end with $, so that anything may stand behind it, and `/srv/../etc/passwd` meets it"),
        ("read", "{properties: {path: {pattern: '^/srv/.+$'}}, required: [path]}",
         "properties.path.pattern: `/srv/../etc/passwd` meets the pattern: let no segment begin with a dot"),
        ("read", "{properties: {path: {const: x}}}",
         "properties.path: a call without `path` passes; write `required: [path]` beside properties"),
        ("mystery", "{properties: {path: {const: x}}}", "a call without `path` passes"),
    ],
)  # fmt: skip
def test_a_schema_that_holds_less_than_it_says_is_told(tool: str, schema: str, says: str) -> None:
    """By itself, or beside what the tool declares."""
    (line,) = of_schema(tool, schema)
    assert says in line


@pytest.mark.parametrize(
    ("tool", "schema"),
    [
        ("read", "{properties: {path: {pattern: '^/srv(/\\w[\\w. -]*)+$'}}, required: [path]}"),
        ("read", "{properties: {limit: {maximum: 10}}, required: [limit]}"),
        ("read", "{properties: {limit: {type: number}}, required: [limit]}"),
        ("read", "{properties: {path: {description: Where.}, limit: {}, secret: false}}"),
        ("read", "{allOf: [{properties: {path: {const: x}}}, {required: [path]}]}"),
        ("read", "{not: {properties: {path: {pattern: passwd}}, required: [path]}}"),
        ("read", "{if: {properties: {path: {const: x}}}, then: {required: [limit]}}"),
        ("open", "{properties: {hint: {const: x}}, required: [hint]}"),
        ("mystery", "{properties: {path: {type: array}}, required: [path]}"),
        ("kind", "{properties: {kind: {const: small}}, required: [kind]}"),
        ("read", "declared"),
    ],
)
def test_a_schema_that_holds_what_it_says_is_silent(tool: str, schema: str) -> None:
    """A warning that is wrong teaches to pass over the right ones."""
    assert of_schema(tool, schema) == []


OPENED = """\
tools:
  wipe: {RULE}
categories:
  Destructive: {CATEGORY}
"""


@pytest.mark.parametrize(
    ("rule", "category", "says"),
    [
        (
            "",
            "action: deny",
            "opens what its category closed: deny there, allow here; wipe is Destructive",
        ),
        ("action: require_approval", "action: hide", "hide there, require_approval here"),
        ("", "action: require_approval", "require_approval there, allow here"),
        (
            "",
            "rate_limit: {max: 1, window: 1}, arguments: declared",
            "no `rate_limit` and `arguments` here",
        ),
    ],
)
def test_a_tool_that_opens_what_its_category_closed_is_told(
    rule: str, category: str, says: str
) -> None:
    """Its own rule stands in place of the category's, as a whole."""
    (line,) = told(OPENED.replace("RULE", rule).replace("CATEGORY", category))
    assert line.startswith("data.yaml:2: tools.wipe")
    assert says in line


@pytest.mark.parametrize(
    ("rule", "category"),
    [
        ("action: deny", "action: deny"),
        ("action: deny", "rate_limit: {max: 1, window: 1}"),
        ("action: hide", "action: deny"),
        ("rate_limit: {max: 9, window: 1}", "rate_limit: {max: 1, window: 1}"),
        ("", "{}"),
    ],
)
def test_a_tool_that_is_as_closed_as_its_category_is_silent(rule: str, category: str) -> None:
    """Also a larger number: that is what a rule of one's own is for."""
    text = OPENED.replace("RULE", rule).replace("{CATEGORY}", f"{{{category.strip('{}')}}}")
    if "max" in category:
        text = OPENED.replace("RULE", rule).replace("CATEGORY", category)
    assert told(text) == []


def test_without_a_catalogue_only_the_rule_itself_is_looked_at() -> None:
    """Nothing is known of tools then."""
    text = "tools: {x: {arguments: {properties: {a: {pattern: b}}}}}"
    left_out, loose = told(text, None)
    assert "a call without `a` passes" in left_out
    assert "does not begin with ^" in loose


@pytest.mark.parametrize("preset", Preset)
def test_starter_rules_give_no_warning(preset: Preset) -> None:
    """They would be the first that anybody sees."""
    assert told(rules("s", FILES, preset), None) == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["string", "path", "#", "#/x", "^a", "("]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "type properties required items anyOf enum pattern if $ref path".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_schema_of_a_stranger_is_borne(declared: Any) -> None:
    """The tool's schema may be anything; a rule's was compiled before."""
    catalogue = {"tools": {"read": {"definition": {"inputSchema": declared}}}}
    schema = "{properties: {path: {type: string, enum: [a]}}, items: {}, required: [path, q]}"
    cautions(f"tools: {{read: {{arguments: {schema}}}}}", "data.yaml", catalogue)

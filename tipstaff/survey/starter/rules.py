"""The rules that a server begins with: `policy/servers/<name>/data.yaml`, made from its survey. Pure.

The text is for a person to read and change: a comment above each tool says what it was found to be and
why. It says nothing that `pdp.rules.server_rules` would refuse, whatever the server calls its tools; a tool that no
key can name gets no rule, so that `default` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, structs

from pdp.rules.checks import SchemaError, compile_schema, unknown_keyword
from pdp.rules.rule_keys import CATEGORIES
from tipstaff.common.visible_text import visible
from tipstaff.survey.model import Category, Classification, Definition, Risk, Sign
from tipstaff.survey.poisoning.poisoned import hiding, warnings
from tipstaff.survey.starter.presets import EVERYTHING, HIDDEN, Budget, Preset, Ruling, ruling
from tipstaff.survey.starter.quoting import comment, key, strict

_INDENT = 2
_CATEGORIES, _RISKS = tuple(Category), tuple(Risk)
_UNSURE = 0.5
_MOST_SIGNS = 3


class Surveyed(Struct, frozen=True):
    """A tool of a server, and what was found out about it. `attacks` are names."""

    name: str
    definition: Definition
    classification: Classification
    attacks: tuple[str, ...] = ()
    signs: tuple[Sign, ...] = ()

    @property
    def begins_hidden(self) -> bool:
        """Whether no model may read its definition until a person has looked at it."""
        return bool(hiding(self.signs))


def rules(server: str, tools: Sequence[Surveyed], preset: Preset, head: str = "") -> str:
    """The text of the rules of `server` below `head`: every tool once, the least dangerous first."""
    listed = ordered(tools)
    groups = [
        _group(
            category, [tool for tool in listed if tool.classification.category is category], preset
        )
        for category in _CATEGORIES
    ]
    body = "\n".join(group for group in groups if group)
    parts = [
        f"{head}{_head(server, preset)}",
        f"tools:\n{body}" if body else "tools: {}\n",
        _nameless(listed),
        _tail(preset),
    ]
    return "\n".join(part for part in parts if part)


def ordered(tools: Iterable[Surveyed]) -> list[Surveyed]:
    """By danger, then by name; of tools listed under one name the most dangerous."""
    worst: dict[str, Surveyed] = {}
    for tool in tools:
        known = worst.get(tool.name)
        if known is None or _gravity(tool) > _gravity(known):
            worst[tool.name] = tool
    return sorted(worst.values(), key=lambda tool: (_danger(tool)[0], tool.name))


def judged(tool: Surveyed, preset: Preset) -> Ruling:
    """What the preset says of the tool; it demands no schema that could not be held.

    A tool with signs of poisoning is hidden by every preset: of `observe`, too, it is what enforcing
    would do.
    """
    if tool.begins_hidden:
        return HIDDEN
    says = ruling(preset, tool.classification)
    return structs.replace(says, declared=says.declared and not _unusable(tool.definition))


def blocks(
    tools: Iterable[Surveyed],
    preset: Preset,
    indent: int = _INDENT,
    *,
    is_enforced: bool = True,
) -> Iterator[str]:
    """The rule of each tool that a key can name, below its comment, `indent` columns in.

    The comment says what holds while the rules of the server are not enforced.
    """
    for tool in tools:
        name = key(tool.name)
        if name is not None:
            says = judged(tool, preset)
            notes = _comment(tool, preset, indent, is_enforced=is_enforced)
            yield f"{notes}\n{_rule(name, says, indent)}\n"


def approvals(tools: Iterable[Surveyed], preset: Preset) -> str:
    """What comes of rules that want an approval and are enforced; nothing where there is none."""
    if "require_approval" not in _actions(tools, preset):
        return ""
    return (
        "A call that needs an approval waits until a person has answered: `tipstaff approvals list` "
        "shows what waits, `tipstaff approvals grant` lets it be made, once."
    )


def _actions(tools: Iterable[Surveyed], preset: Preset) -> set[str]:
    return {judged(tool, preset).action for tool in tools if key(tool.name)}


def _danger(tool: Surveyed) -> tuple[int, int]:
    classification = tool.classification
    return _CATEGORIES.index(classification.category), _RISKS.index(classification.risk)


def _gravity(tool: Surveyed) -> tuple[bool, int, int]:
    return (tool.begins_hidden, *_danger(tool))


def _group(category: Category, tools: list[Surveyed], preset: Preset) -> str:
    tool_blocks = list(blocks(tools, preset, is_enforced=preset is not Preset.OBSERVE))
    if not tool_blocks:
        return ""
    heading = f"== {category.value} ({len(tool_blocks)}): {CATEGORIES[category.value]} =="
    enforced = "" if preset is Preset.OBSERVE else approvals(tools, preset)
    notes = [text for text in (heading, enforced) if text]
    return "\n".join(["\n".join(comment(note, _INDENT) for note in notes) + "\n", *tool_blocks])


def _rule(name: str, says: Ruling, indent: int) -> str:
    lines = [
        *([f"action: {says.action}"] if says.action != "allow" else []),
        *([f"reason: {says.reason}"] if says.reason else []),
        *([f"rate_limit: {_budget(says.budget)}"] if says.budget else []),
        *(["arguments: declared"] if says.declared else []),
    ]
    start = " " * indent
    return "\n".join(
        [f"{start}{name}:{'' if lines else ' {}'}", *(f"{start}  {line}" for line in lines)]
    )


def _budget(budget: Budget) -> str:
    scope = "" if budget.scope == "session" else f", scope: {budget.scope}"
    return f"{{max: {budget.max}, window: {budget.window}{scope}}}"


def _comment(tool: Surveyed, preset: Preset, indent: int, *, is_enforced: bool) -> str:
    classification = tool.classification
    sure = f"{classification.confidence:.0%} sure{': look at it' if classification.confidence < _UNSURE else ''}"
    texts = [visible(f"{classification.rationale} {sure.capitalize()}.", 400, folds=True)]
    texts += _warnings(tool, is_enforced=is_enforced)
    if tool.attacks:
        texts.append(visible(f"Open to: {', '.join(tool.attacks)}.", 300, folds=True))
    if not strict(tool.name):
        texts.append(
            "The name is none by MCP's grammar: calls of it are refused, "
            'unless the server\'s section says tool_names = "any".'
        )
    if not tool.begins_hidden and ruling(preset, classification).declared:
        texts += _remarks(tool.definition)
    return "\n".join(comment(text, indent) for text in texts)


def _warnings(tool: Surveyed, *, is_enforced: bool) -> Iterator[str]:
    """The signs that speak against the tool, the ones that hide it first, and what to do about them."""
    signs = sorted(warnings(tool.signs), key=lambda sign: not hiding([sign]))
    for sign in signs[:_MOST_SIGNS]:
        kind, place = sign.kind.replace("_", " "), visible(sign.place, 100, folds=True)
        excerpt = visible(sign.excerpt, 120, folds=True)
        yield f"Warning sign: {kind} at {place}: “{excerpt}”. {visible(sign.message, 300, folds=True)}"
    if len(signs) > _MOST_SIGNS:
        yield f"There are {len(signs)} signs in all: `tipstaff scan` shows them."
    if tool.begins_hidden:
        yield _HIDDEN if is_enforced else _SHOWN
    elif signs:
        yield "All of it was read, so its rule is that of its risk; whoever opens it more should read it."


_HIDDEN = (
    "So it begins hidden: no model reads its definition, and no call of it passes. Read the definition; "
    "if it is honest, write the rule that you want in place of this one (`action: allow`, with a limit)."
)
_SHOWN = (
    "Nothing here is enforced while `shadow: true` stands at the top, so models do read its definition. "
    "Read it first; enforced, this rule hides it, until you write the one that you want in its place."
)


def _remarks(definition: Definition) -> Iterator[str]:
    """What a rule cannot demand of the arguments, though it would."""
    why = _unusable(definition)
    if why:
        yield f"Its arguments are held against no schema: {visible(why, 200, folds=True)}."
        return
    ignored = unknown_keyword(definition["inputSchema"])
    if ignored is not None:
        yield f"In its schema `{visible(ignored[1], 60, folds=True)}` checks nothing."


def _unusable(definition: Definition) -> str:
    """Why the schema that the tool declares cannot be held; nothing when it can."""
    schema = definition.get("inputSchema")
    if not isinstance(schema, dict):
        return "the tool declares none" if schema is None else "what it declares is no JSON object"
    try:
        unknown_keyword(schema)
        compile_schema(schema)
    except SchemaError as error:
        return f"the one that it declares cannot be used ({error})"
    except RecursionError:
        return "the one that it declares is too deep"
    return ""


def _nameless(tools: Iterable[Surveyed]) -> str:
    lost = [visible(tool.name, 60, folds=True) for tool in tools if key(tool.name) is None]
    if not lost:
        return ""
    quoted = ", ".join(f'"{name}"' for name in lost[:20])
    more = f" and {len(lost) - 20} more" if len(lost) > 20 else ""
    text = f"No rule can name these tools, so `default` decides: {quoted}{more}."
    return comment(text, _INDENT) + "\n"


def _head(server: str, preset: Preset) -> str:
    begins = (
        f"What agents may do with the server {server}. Written when it was registered, by the preset "
        f"{preset.value}; from now on it is yours: to register again adds rules for new tools, and "
        "changes none that stands here. An edit takes effect at once; `tipstaff check` tells what is "
        "wrong with it, and `tipstaff test` runs rules_test.rego beside it. A key that is not known "
        "is an error, never ignored."
    )
    return f"{comment(begins)}\n\n{_OBSERVE if preset is Preset.OBSERVE else _ENFORCE}"


_ENFORCE = """\
# Everything without a rule of its own, also a tool that the server gains tomorrow: refused until
# somebody has looked at it.
default: deny
"""
_OBSERVE = """\
# Nothing of this file is enforced. What it would have said is recorded as shadow, so that you can
# see what it would refuse; then take this line out, and write `default: deny`.
shadow: true

# Everything without a rule of its own: allow, deny, hide or require_approval.
default: allow
"""


_METHODS = """\
# What the server may ask of the client. Roots are the folders that the client works in, and some
# servers have no others. A completion by the client's model (sampling/createMessage) and a question
# to its user (elicitation/create) fall under `default` until they stand here.
methods:
  roots/list: {}
"""
_STRICT_METHODS = """\
# What the server may ask of the client: nothing. One that is started without a folder and works in
# those of the client needs `roots/list: {}` here; others ask its model (sampling/createMessage) or
# its user (elicitation/create).
methods: {}
"""


def _tail(preset: Preset) -> str:
    most = EVERYTHING[preset]
    return f"""\
# By URI; a * at the end stands for everything that begins so: "file:///srv/public/*": {{}}
resources: {{}}

# By name: summarize: {{}}
prompts: {{}}

{_STRICT_METHODS if preset is Preset.STRICT else _METHODS}
# Whatever the tool, and whatever session the caller says it is in.
limits:
  - {{name: everything, scope: {most.scope}, max: {most.max}, window: {most.window}}}
"""

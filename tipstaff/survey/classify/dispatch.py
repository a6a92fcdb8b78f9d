"""Tools that stand for many: an argument chooses among commands. Pure.

What such a tool does at the worst is the worst of what it offers. The schema tells that by an enum, the
text by a list of actions. Where neither does, the tool is a router of commands that nobody has seen:
its text may still say that all of them only read; otherwise it must be taken for the running of anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tipstaff.survey.classify.lexicon import Lexicon
from tipstaff.survey.classify.schema import choices, properties
from tipstaff.survey.classify.verbs import CHOICE, VerbUse
from tipstaff.survey.classify.words import sentences, split_name, words
from tipstaff.survey.model import Category, Definition

_MOST_CHOICES = 60
_MOST_SENTENCES = 4
_LONGEST_TEXT = 20_000
_QUOTED = re.compile(r"""["'`]([a-z][a-zA-Z_-]{1,40})["'`]""")
_LISTED = re.compile(
    r"(?m)^\s*(?:[-*•]|\d+[.)])\s*[`*'\"]{0,3}([a-z][a-zA-Z_-]{1,40})[`*'\"]{0,3}\s*(?:[:(,\u2013\u2014-]|$)"
)
_IN_A_ROW = re.compile(
    r"\b(?:one ?of|(?:actions?|operations?|commands?|values?)\s*[:=])[^a-z_.]{0,6}"
    r"((?:[a-z_]{2,40}[^a-z_.\n]{1,6}){1,30}[a-z_]{2,40})",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z][a-zA-Z_-]{1,40}", re.IGNORECASE)
_FEWEST = 2
_LEADS = frozenset({"to", "can", "for", "and", "or"})
# The operations of a JSON Patch (RFC 6902), which edits one document.
_JSON_PATCH = frozenset({"add", "remove", "replace", "move", "copy", "test"})
# What a firewall does with a packet, and the steps of one operation that can be gone on with.
_VERDICTS = frozenset({"accept", "allow", "deny", "drop", "log", "reject"})
_STEPS = frozenset({"abort", "continue", "quit", "skip", "start"})
_NO_PARTICIPLES = frozenset({"embed", "feed", "need", "seed", "shred"})
# What is worse than the running of anything.
_WORSE = frozenset({Category.DESTRUCTIVE, Category.FINANCIAL})
_NO_SPACE = re.compile(r"(?<=[a-z)])\.?(?=This tool\b)|(?<=[a-z)])\.(?=[A-Z])")
_CLAUSE_END = re.compile(r"\s[-\u2013\u2014:]\s")
_ON_USE = re.compile(
    r"(use|call|always|if|for|when|should|it should|do not|don't|note|requires?)\b", re.IGNORECASE
)


def of_choices(definition: Definition, name: Sequence[str], lexicon: Lexicon) -> Iterator[VerbUse]:
    """The verb uses that an argument chooses among: `action: create | update | delete`.

    A tool that only asks about a verb use (`check_permission`) offers none.
    """
    if any(word in lexicon.asking for word in name):
        return
    for argument, about in properties(definition.get("inputSchema")):
        kinds = lexicon.argument(argument.lower())
        if "action" not in kinds:
            continue
        offered = choices(about) or (
            _listed_choices(about, definition) if "chooser" in kinds else ()
        )
        if _is_of_one_operation(argument, offered, lexicon):
            continue
        if name and lexicon.category_of.get(name[0]) is Category.READ:
            offered = tuple(choice for choice in offered if not _is_participle(choice))
        for choice in offered[:_MOST_CHOICES]:
            verb = _verb_of(choice, lexicon)
            if verb:
                category = lexicon.category_of[verb]
                yield VerbUse(verb, category, CHOICE, "schema", f"{argument}: {choice}"[:160])


def _is_of_one_operation(argument: str, offered: Sequence[str], lexicon: Lexicon) -> bool:
    """Whether the choices say how the tool does its one thing: `ACCEPT | DROP`, `start | abort`."""
    plain = {choice.lower() for choice in offered}
    commands = {choice.lower() for choice in offered if _verb_of(choice, lexicon)}
    if argument == "op" and plain <= _JSON_PATCH:
        return True
    is_verdict = plain >= {"accept", "drop"} and commands <= _VERDICTS
    return is_verdict or (plain >= {"abort", "continue"} and commands <= _STEPS)


def _is_participle(choice: str) -> bool:
    """Whether the word is a participle that filters (`assigned`, `build_failed`), rather than a verb."""
    last = ("", *split_name(choice))[-1]
    return last.endswith("ed") and last not in _NO_PARTICIPLES


def _verb_of(choice: str, lexicon: Lexicon) -> str:
    """The verb that a choice begins with, or its second word is; or ""."""
    verbs = map(lexicon.verb, split_name(choice)[:_FEWEST])
    return next((verb for verb in verbs if verb in lexicon.category_of), "")


def chooser(definition: Definition, lexicon: Lexicon) -> str:
    """The argument that names the command to be run by a router of commands; or "".

    It comes with the arguments of that command, or the text says that the tool passes commands on.
    """
    own = _own(definition)
    names = {name: lexicon.argument(name.lower()) for name in own}
    choosers = [
        name
        for name, kinds in names.items()
        if "chooser" in kinds and _is_riddle(own[name], lexicon)
    ]
    if not choosers:
        return ""
    text = _text(definition)[:_LONGEST_TEXT]
    payload = any("payload" in kinds and _is_object(own[name]) for name, kinds in names.items())
    is_shell = lexicon.phrases["any_code"].search(text)
    if lexicon.phrases["router"].search(text) or (payload and not is_shell):
        return choosers[0]
    return ""


def of_router(
    definition: Definition, name: Sequence[str], lexicon: Lexicon
) -> tuple[VerbUse, ...] | None:
    """What a router of commands offers, by its text or else its name; `None` where that is not told.

    A verb that may mean anything (`manage`) tells nothing, unless worse stands beside it.
    """
    offered: list[VerbUse] = []
    is_vague = False
    for sentence in _own_sentences(definition, lexicon):
        for clause in _CLAUSE_END.split(sentence):
            spoken = words(clause)
            for verb in _verbs(spoken, lexicon):
                if verb in lexicon.vague:
                    is_vague = True
                    continue
                category = lexicon.category_of[verb]
                offered.append(VerbUse(verb, category, CHOICE, "description", sentence[:160]))
    if is_vague:
        offered = [verb_use for verb_use in offered if verb_use.category in _WORSE]
    elif not offered and len(name) > 1 and lexicon.is_clear_verb(name[0]):
        category = lexicon.category_of[name[0]]
        offered.append(VerbUse(name[0], category, CHOICE, "name", " ".join(name)))
    return tuple(offered) or None


def _own_sentences(definition: Definition, lexicon: Lexicon) -> Iterator[str]:
    """The first sentences, without those on when and how to call the tool."""
    spaced = _NO_SPACE.sub(". ", _text(definition)[:_LONGEST_TEXT])
    for sentence in sentences(spaced)[:_MOST_SENTENCES]:
        if lexicon.phrases["router"].search(sentence):
            return
        if not _ON_USE.match(sentence):
            yield sentence


def _verbs(spoken: Sequence[str], lexicon: Lexicon) -> Iterator[str]:
    """The verbs that stand as verbs: at the head of a clause, as `-ing`, after `to` or another verb."""
    was_verb, before = False, ""
    for at, word in enumerate(spoken):
        verb = lexicon.verb(word)
        is_vague = verb in lexicon.vague
        stands = at == 0 or before in _LEADS or was_verb or (word.endswith("ing") and not is_vague)
        is_verb = stands and (is_vague or verb in lexicon.category_of)
        if is_verb:
            yield verb
        was_verb = is_verb or (was_verb and word in lexicon.joins)
        before = word


def _listed_choices(about: Mapping[str, Any], definition: Definition) -> tuple[str, ...]:
    """What the text lists as choices, where the schema does not; two at least."""
    own, text = _text(about)[:_LONGEST_TEXT], _text(definition)[:_LONGEST_TEXT]
    listed = [*_QUOTED.findall(own), *_rows(own), *_LISTED.findall(own)]
    listed = listed or [*_LISTED.findall(text), *_rows(text)]
    return tuple(dict.fromkeys(listed)) if len(listed) >= _FEWEST else ()


def _text(about: Mapping[str, Any]) -> str:
    text = about.get("description")
    return text if isinstance(text, str) else ""


def _rows(text: str) -> Iterator[str]:
    for row in _IN_A_ROW.findall(text):
        yield from _WORD.findall(row)


def _own(definition: Definition) -> dict[str, Any]:
    schema = definition.get("inputSchema")
    inner = schema.get("properties") if isinstance(schema, dict) else None
    return inner if isinstance(inner, dict) else {}


def _is_riddle(about: Any, lexicon: Lexicon) -> bool:
    """Whether it is a text of which the schema does not tell what it makes the tool do."""
    if not isinstance(about, dict) or about.get("type", "string") != "string":
        return False
    return not any(_verb_of(choice, lexicon) for choice in choices(about))


def _is_object(about: Any) -> bool:
    """Whether it may be an object: it says so, it allows one, or it says nothing."""
    if not isinstance(about, dict):
        return False
    kinds = about.get("type")
    if kinds is not None:
        return "object" in (kinds if isinstance(kinds, list) else [kinds])
    ways = [way for key in ("anyOf", "oneOf") for way in about.get(key) or ()]
    return not ways or any(isinstance(way, dict) and way.get("type") == "object" for way in ways)

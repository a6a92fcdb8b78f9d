"""The features of a definition: verbs, things, arguments, phrases, and the server's domain. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from tipstaff.survey.classify import dispatch, verbs
from tipstaff.survey.classify.lexicon import Lexicon
from tipstaff.survey.classify.schema import properties
from tipstaff.survey.classify.verbs import VerbUse
from tipstaff.survey.classify.words import sentences, split_name, words
from tipstaff.survey.model import Definition

_VERSION = re.compile(r"v[0-9]+")
_NEAR_WORDS = 30
# How many of a server's names must share a first word for it to be a prefix, or a subject for a domain.
_PREFIX_SHARE, _PREFIX_LEAST = 0.3, 3
_DOMAIN_SHARE, _DOMAIN_LEAST = 0.15, 2
# Or so many different words of the subject, however many other tools there are.
_DOMAIN_WORDS = 5


class _Phrases(Mapping[str, str]):
    """The phrases that stand in a text, by name, each looked for when a rule asks for it.

    Most rules fail before they come to their phrases, and to look for all of them takes longer than
    everything else.
    """

    def __init__(self, text: str, patterns: Mapping[str, re.Pattern[str]]) -> None:
        self._text = text
        self._patterns = patterns
        self._quotes: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        quote = self._quotes.get(name)
        if quote is None:
            match = self._patterns[name].search(self._text)
            quote = self._quotes[name] = match[0][:80] if match else ""
        if not quote:
            raise KeyError(name)
        return quote

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._patterns if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Phrases) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class Features(Struct, frozen=True):
    """The features of one definition, each with the words that show it."""

    full: tuple[str, ...]
    """The words of the name."""
    name: tuple[str, ...]
    """The same without a beginning that most of the server's tools share."""
    verb_uses: tuple[VerbUse, ...]
    things: Mapping[str, str]
    """Classes of things in the name and the title."""
    head: Mapping[str, str]
    """The same of the one thing that the name is about."""
    near: Mapping[str, str]
    """The same in the first sentence of the description."""
    arguments: Mapping[str, str]
    phrases: Mapping[str, str]
    domain: frozenset[str]
    router: str
    """The argument that names a command to be run, where there is one."""
    shape: frozenset[str]
    """`manages`: its verb says nothing; `text`: it is a text about something; `silent`: no verb at
    all; `undescribed`: there is no description; `routes`: an argument names a command to be run, with
    its arguments; `untold`: and nothing says which there are."""


class Context(Struct, frozen=True):
    """The features that the tools of a server have in common."""

    prefixes: frozenset[str]
    domain: frozenset[str]
    names: tuple[frozenset[str], ...]


def context(definitions: Sequence[Definition], lexicon: Lexicon) -> Context:
    """Beginnings of names that say nothing, and what the server is about."""
    names = [split_name(_text(definition.get("name"))) for definition in definitions]
    firsts = [name[0] for name in names if len(name) > 1]
    often = max(_PREFIX_LEAST, _PREFIX_SHARE * len(names))
    prefixes = {
        word
        for word in set(firsts)
        if firsts.count(word) >= often and word not in lexicon.category_of
    }
    plain = tuple(frozenset(word.removesuffix("s") for word in name) for name in names)
    enough = max(_DOMAIN_LEAST, _DOMAIN_SHARE * len(names))
    spoken = frozenset().union(*plain)
    domain = {
        kind
        for kind, domain_words in lexicon.domains.items()
        if sum(not domain_words.isdisjoint(name) for name in plain) >= enough
        or len(domain_words & spoken) >= _DOMAIN_WORDS
    }
    return Context(frozenset(prefixes), frozenset(domain), plain)


def read(definition: Definition, around: Context, lexicon: Lexicon) -> Features:
    """Read one definition among the other tools of its server."""
    return read_twice(definition, around, lexicon)[0]


def read_twice(
    definition: Definition, around: Context, lexicon: Lexicon
) -> tuple[Features, Features]:
    """One definition among the other tools of its server, and alone: the same where they say nothing."""
    full = split_name(_text(definition.get("name")))
    plain = tuple(word for word in full if not _VERSION.fullmatch(word))
    title = _text(definition.get("title"))
    lines = sentences(_text(definition.get("description")))

    def named(name: tuple[str, ...]) -> Features:
        offers = dispatch.of_router(definition, name, lexicon) if router else None
        own = offers or () if router else _deeds(name, title, lines[:1], lexicon)
        spoken = (*own, *choices)
        return Features(
            full=full,
            name=name,
            verb_uses=spoken,
            things=_things((*name, *words(title)), lexicon),
            head=_things(_head(name, lexicon), lexicon),
            near=near,
            arguments=arguments,
            phrases=phrases,
            domain=frozenset(),
            router=router,
            shape=frozenset(
                (
                    *_shape(name, lines, spoken, lexicon),
                    *(["routes"] if router else []),
                    *(["untold"] if router and not spoken else []),
                )
            ),
        )

    choices = tuple(dispatch.of_choices(definition, plain, lexicon))
    router = dispatch.chooser(definition, lexicon)
    near = _things(words(lines[0])[:_NEAR_WORDS] if lines else (), lexicon)
    arguments = _arguments(definition, router, lexicon)
    phrases = _Phrases(" ".join((*plain, ".", *lines)), lexicon.phrases)
    alone = named(plain)
    has_prefix = len(plain) > 1 and plain[0] in around.prefixes
    among_them = named(plain[1:]) if has_prefix else alone
    return structs.replace(among_them, domain=around.domain), alone


def _deeds(
    name: Sequence[str], title: str, first: Sequence[str], lexicon: Lexicon
) -> Iterator[VerbUse]:
    tool_verbs = list(verbs.of_name(name, lexicon))
    for sentence in first:
        tool_verbs += verbs.of_sentence(sentence, "description", lexicon)
    if not tool_verbs and title:
        tool_verbs += verbs.of_sentence(title, "title", lexicon)
    yield from tool_verbs


def _shape(
    name: Sequence[str], lines: Sequence[str], tool_verbs: Sequence[VerbUse], lexicon: Lexicon
) -> Iterator[str]:
    if name and name[-1] in lexicon.texts:
        yield "text"
    if not lines:
        yield "undescribed"
    if not tool_verbs:
        yield "silent"
    opening = (*words(lines[0]), "")[0] if lines else ""
    if any(lexicon.verb(word) in lexicon.empty for word in (*name, opening)):
        yield "manages"


def _head(name: Sequence[str], lexicon: Lexicon) -> tuple[str, ...]:
    """The thing that stands last before a preposition, without a verb at the end."""
    cut = (at for at, word in enumerate(name) if at and word in lexicon.prepositions)
    rest = list(name[: next(cut, len(name))])
    if (
        len(rest) > 1
        and lexicon.is_clear_verb(rest[-1])
        and not any(map(lexicon.is_clear_verb, rest[:-1]))
        and not lexicon.verb(rest[0])
    ):
        rest.pop()
    if len(rest) > 1 and rest[-1] in lexicon.forms:
        rest.pop()
    if len(rest) == 1 and lexicon.is_clear_verb(rest[0]):
        return ()
    sizes = (n for n in (3, 2) if len(rest) >= n and lexicon.thing("-".join(rest[-n:])))
    return tuple(rest[-next(sizes, 1) :])


def _things(spoken: Sequence[str], lexicon: Lexicon) -> dict[str, str]:
    """Each class to the thing that is of it; the words of a longer thing are no things themselves."""
    things: dict[str, str] = {}
    plain = [part for word in spoken for part in word.split("_") if part]
    used: set[int] = set()
    for size in range(lexicon.longest_thing, 0, -1):
        for at in range(len(plain) - size + 1):
            places = range(at, at + size)
            thing = (
                lexicon.thing("-".join(plain[at : at + size])) if used.isdisjoint(places) else ""
            )
            if thing:
                used.update(places)
            for kind in lexicon.classes.get(thing, ()):
                things.setdefault(kind, thing)
    return things


def _arguments(definition: Definition, router: str, lexicon: Lexicon) -> dict[str, str]:
    """The classes of the arguments. The name of a command of a router is no code of the caller's."""
    arguments: dict[str, str] = {}
    for name, about in properties(definition.get("inputSchema")):
        if router and name == router:
            continue
        for kind in lexicon.argument(name.lower()):
            if kind != "bulk" or about.get("type", "array") == "array":
                arguments.setdefault(kind, name)
    return arguments


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

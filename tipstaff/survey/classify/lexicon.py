"""The vocabulary of the classifier, read once from `lexicon.toml`. Pure after that."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Literal

import msgspec
from msgspec import Struct

from tipstaff.survey.classify.words import stem
from tipstaff.survey.model import Category, Mark


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule of the classifier, which applies when everything that it names holds.

    A list holds when one of its members was found; `no_*` when none was.
    """

    why: str
    says: str = ""
    weight: float = 0
    category: tuple[Category, ...] = ()
    verbs: tuple[str, ...] = ()
    no_verbs: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    no_things: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    no_head: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    no_arguments: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    no_phrases: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    no_marks: tuple[Mark, ...] = ()
    domain: tuple[str, ...] = ()
    no_domain: tuple[str, ...] = ()
    shape: tuple[Literal["manages", "text", "silent", "undescribed", "routes", "untold"], ...] = ()

    @property
    def looks(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
        """What is wanted and what is not, of verbs, things, head, near, arguments, phrases, domain, shape."""
        return (
            (self.verbs, self.no_verbs),
            (self.things, self.no_things),
            (self.head, self.no_head),
            (self.near, ()),
            (self.arguments, self.no_arguments),
            (self.phrases, self.no_phrases),
            (self.domain, self.no_domain),
            (self.shape, ()),
        )


class _Empty(Struct, frozen=True, forbid_unknown_fields=True):
    words: str
    vague: str
    asking: str


class _Words(Struct, frozen=True, forbid_unknown_fields=True):
    words: str


class _AlsoThings(Struct, frozen=True, forbid_unknown_fields=True):
    mostly: str
    as_often: str


class _Grammar(Struct, frozen=True, forbid_unknown_fields=True):
    openings: str
    joins: str
    articles: str
    prepositions: str
    carriers: str
    forms: str


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    verbs: dict[Category, str]
    verbs_that_are_also_things: _AlsoThings
    empty_verbs: _Empty
    texts: _Words
    grammar: _Grammar
    things: dict[str, str]
    arguments: dict[str, str]
    phrases: dict[str, str]
    domains: dict[str, str]
    category: tuple[Rule, ...]
    mark: tuple[Rule, ...]
    risk: tuple[Rule, ...]


_MOST_REMEMBERED = 50_000
Kind = Literal["category", "mark", "risk"]


class Lexicon:
    """Look-ups in the vocabulary."""

    def __init__(self, file: _File) -> None:
        """Index the file; raises `ValueError` when it contradicts itself."""
        self.category_of = _verbs(file.verbs)
        also = file.verbs_that_are_also_things
        self.mostly_things = frozenset(also.mostly.split())
        self.weak = self.mostly_things | frozenset(also.as_often.split())
        self.empty = frozenset(file.empty_verbs.words.split())
        self.vague = frozenset(file.empty_verbs.vague.split())
        self.asking = frozenset(file.empty_verbs.asking.split())
        self.texts = frozenset(file.texts.words.split())
        self.openings = frozenset(file.grammar.openings.split())
        self.joins = frozenset(file.grammar.joins.split())
        self.articles = frozenset(file.grammar.articles.split())
        self.prepositions = frozenset(file.grammar.prepositions.split())
        self.carriers = frozenset(file.grammar.carriers.split())
        self.forms = frozenset(file.grammar.forms.split())
        self.classes = _classes(file.things)
        self.longest_thing = max(word.count("-") + 1 for word in self.classes)
        self.argument_names = {
            name: re.compile("|".join(map(_pattern, words.split())))
            for name, words in file.arguments.items()
        }
        self.phrases = {
            name: re.compile(pattern, re.IGNORECASE) for name, pattern in file.phrases.items()
        }
        self.domains = {name: frozenset(words.split()) for name, words in file.domains.items()}
        self.rules: dict[Kind, tuple[Rule, ...]] = {
            "category": file.category, "mark": file.mark, "risk": file.risk,
        }  # fmt: skip
        for rules in self.rules.values():
            for rule in rules:
                self._check(rule)
        _check_risks(file.risk)
        remember = lru_cache(maxsize=_MOST_REMEMBERED)
        self.verb = remember(self._verb)
        self.thing = remember(self._thing)
        self.argument = remember(self._argument)

    def is_clear_verb(self, word: str) -> bool:
        """Whether `word` is a verb in its plain form, and not more often a thing."""
        return word in self.category_of and word not in self.weak

    def _verb(self, word: str) -> str:
        """The plain form of a verb, also of one that says nothing; or ""."""
        return stem(word, lambda form: form in self.category_of or form in self.empty)

    def _thing(self, word: str) -> str:
        """The singular of a thing; or ""."""
        return stem(word, self.classes.__contains__)

    def _argument(self, name: str) -> tuple[str, ...]:
        """The classes of an argument, by its name in lower case."""
        kinds = self.argument_names.items()
        return tuple(kind for kind, pattern in kinds if pattern.fullmatch(name))

    def _check(self, rule: Rule) -> None:
        """Refuse a rule that names what is not there: it would never hold, and nobody would know."""
        kinds = {kind for kinds in self.classes.values() for kind in kinds}
        for used, known in (
            ({*rule.verbs, *rule.no_verbs}, {*self.category_of, *self.empty}),
            ({*rule.things, *rule.no_things, *rule.head, *rule.no_head, *rule.near}, kinds),
            ({*rule.arguments, *rule.no_arguments}, set(self.argument_names)),
            ({*rule.phrases, *rule.no_phrases}, set(self.phrases)),
            ({*rule.domain, *rule.no_domain}, set(self.domains)),
        ):
            if not used <= known:
                raise ValueError(f"{rule.why}: there is no {', '.join(sorted(used - known))}")


@cache
def lexicon() -> Lexicon:
    """The vocabulary that ships with Tipstaff."""
    text = resources.files("tipstaff.survey.classify").joinpath("lexicon.toml").read_text("utf-8")
    return parse(text)


def parse(text: str) -> Lexicon:
    """The vocabulary in `text`; raises `ValueError` or `msgspec.ValidationError`."""
    return Lexicon(msgspec.convert(tomllib.loads(text), _File))


def _verbs(lists: Mapping[Category, str]) -> dict[str, Category]:
    categories: dict[str, Category] = {}
    for category, words in lists.items():
        for word in words.split():
            if categories.setdefault(word, category) is not category:
                raise ValueError(f"{word} is said to be {categories[word]} and {category}")
    return categories


def _classes(lists: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    classes: dict[str, tuple[str, ...]] = {}
    for kind, words in lists.items():
        for word in words.split():
            classes[word] = (*classes.get(word, ()), kind)
    return classes


def _check_risks(rules: Sequence[Rule]) -> None:
    """Every category must have a rule that asks for nothing else, so that some risk is always found."""
    always = {
        rule.category for rule in rules if rule == Rule(rule.why, rule.says, category=rule.category)
    }
    for category in Category:
        if (category,) not in always:
            raise ValueError(f"no risk is left for {category}")


def _pattern(word: str) -> str:
    return re.escape(word).replace(r"\*", r".*")

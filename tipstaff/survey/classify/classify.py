"""Classifies a tool: category, risk, confidence and evidence. Pure and deterministic.

Verbs speak for categories, weighed by where they stand; the rules of the lexicon add to them. What
weighs most is chosen, the worse of two that weigh about the same. Annotations are claims of the server:
they decide where the text does not, can raise what it says, and never lower it (MCP 2026-07-28,
`ToolAnnotations`). The other tools of the server tell what a word means; they can raise what a definition
is found to be by itself, and never lower it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from tipstaff.survey.classify.features import Context, Features, context, read_twice
from tipstaff.survey.classify.lexicon import Lexicon, Rule, lexicon
from tipstaff.survey.classify.rationale import rationale
from tipstaff.survey.classify.verbs import VerbUse
from tipstaff.survey.model import Category, Classification, Definition, Evidence, Mark, Risk

_ORDER, _RISKS = tuple(Category), tuple(Risk)
# The worse of two categories is taken when its weight is at least this share of the other's.
_CLOSE = 0.8
_TEXT, _CLAIM = 6.0, 2.0
# A verb_use this faint supports a category, but is not what a rule means by its verbs.
_FAINT = 1.0
# The weight that makes sure by itself, and what a missing description leaves of that.
_ENOUGH, _UNDESCRIBED = 6.0, 0.8
_NOTHING_SAID = 0.2
# The most that can be said of a tool by the verb of its name, and of one whose commands are not told.
_BY_NAME, _UNTOLD = 0.8, 0.4


class _Vote(Struct, frozen=True):
    category: Category
    weight: float
    evidence: Evidence
    is_choice: bool = False
    """Whether it is one of several things that a call can be told to do."""


class _Finding(Struct, frozen=True):
    """The result of one reading of a definition."""

    category: Category
    risk: Risk
    why: str
    """The reason of the risk."""
    reading: Features
    scores: Mapping[Category, float]
    votes: Sequence[_Vote]
    marks: Mapping[Mark, Evidence]


def classify_all(definitions: Sequence[Definition]) -> tuple[Classification, ...]:
    """Each tool of one server, in order: they are context to each other."""
    words = lexicon()
    siblings = context(definitions, words)
    return tuple(_classify(definition, siblings, words) for definition in definitions)


def _classify(definition: Definition, siblings: Context, words: Lexicon) -> Classification:
    claims = definition.get("annotations")
    claims = claims if isinstance(claims, dict) else {}
    among_them, alone = read_twice(definition, siblings, words)
    worst = riskiest = _find(among_them, claims, words)
    if alone != among_them:
        other = _find(alone, claims, words)
        worst, riskiest = max(worst, other, key=_by_category), max(worst, other, key=_by_risk)
    support = tuple(vote.evidence for vote in worst.votes if vote.category is worst.category)
    return Classification(
        category=worst.category,
        risk=riskiest.risk,
        confidence=_confidence(worst.category, worst.scores, worst.reading, support),
        marks=tuple(worst.marks),
        evidence=(*(vote.evidence for vote in worst.votes), *worst.marks.values()),
        rationale=rationale(
            worst.category, riskiest.risk, riskiest.why, support, worst.reading, siblings
        ),
    )


def _find(reading: Features, claims: Mapping[str, Any], words: Lexicon) -> _Finding:
    heard = _Heard(reading)
    votes = sorted(_votes(reading, heard, claims, words), key=lambda vote: -vote.weight)
    scores = _scores(votes)
    category = max(_raised(_chosen(scores), claims), _worst_choice(votes), key=_ORDER.index)
    marks = dict(_marks(heard, category, claims, words))
    risk, why = _risk(heard, category, tuple(marks), words)
    return _Finding(category, risk, why, reading, scores, votes, marks)


def _by_category(finding: _Finding) -> int:
    return _ORDER.index(finding.category)


def _by_risk(finding: _Finding) -> int:
    return _RISKS.index(finding.risk)


def _votes(
    reading: Features, heard: _Heard, claims: Mapping[str, Any], words: Lexicon
) -> Iterator[_Vote]:
    for verb_use in reading.verb_uses:
        evidence = Evidence(verb_use.field, verb_use.words, f"{verb_use.category}: {verb_use.verb}")
        is_choice = verb_use.field == "schema" or "routes" in reading.shape
        yield _Vote(verb_use.category, verb_use.weight, evidence, is_choice)
    if "text" in reading.shape:
        evidence = Evidence(
            "name", " ".join(reading.name), f"{Category.READ}: a text about something"
        )
        yield _Vote(Category.READ, _TEXT, evidence)
    if claims.get("readOnlyHint") is True:
        evidence = Evidence("annotations", "readOnlyHint: true", f"{Category.READ}: claimed")
        yield _Vote(Category.READ, _CLAIM, evidence)
    loudest = max(reading.verb_uses, key=_weight, default=None)
    spoken = loudest.category if loudest else Category.READ
    for rule in words.rules["category"]:
        quotes = heard.quotes(rule, spoken)
        if quotes is not None:
            evidence = Evidence("description", quotes, f"{rule.says}: {rule.why}")
            yield _Vote(Category(rule.says), rule.weight, evidence)


def _weight(verb_use: VerbUse) -> float:
    return verb_use.weight


def _scores(votes: Sequence[_Vote]) -> dict[Category, float]:
    """The score of each category. Of the verb uses that an argument chooses among, the worst counts, twice."""
    scores: dict[Category, float] = {}
    choices: dict[Category, float] = {}
    for vote in votes:
        if vote.is_choice:
            choices[vote.category] = vote.weight
        else:
            scores[vote.category] = scores.get(vote.category, 0) + vote.weight
    worst = max(choices, key=_ORDER.index, default=Category.READ)
    if choices:
        times = 1 if worst is Category.READ else 2
        scores[worst] = scores.get(worst, 0) + times * choices[worst]
    return scores


def _chosen(scores: Mapping[Category, float]) -> Category:
    """The worst of the categories with the highest score; without any evidence, a change."""
    close = _CLOSE * max(scores.values(), default=0)
    return max(
        (category for category, score in scores.items() if score >= close),
        key=_ORDER.index,
        default=Category.WRITE,
    )


def _worst_choice(votes: Sequence[_Vote]) -> Category:
    """A tool is at least the worst of what its caller can have it do."""
    offered = (vote.category for vote in votes if vote.is_choice)
    return max(offered, key=_ORDER.index, default=Category.READ)


def _raised(category: Category, claims: Mapping[str, Any]) -> Category:
    """A server that says of its tool that it is not read-only is believed."""
    is_doubtful = category is Category.READ and claims.get("readOnlyHint") is False
    return Category.WRITE if is_doubtful else category


def _confidence(
    category: Category,
    scores: Mapping[Category, float],
    reading: Features,
    support: Sequence[Evidence],
) -> float:
    """The share of the evidence that supports the category, and how much evidence there is. A verb of the name alone is not."""
    own, total = scores.get(category, 0.0), sum(scores.values())
    sure = own / total * min(1.0, own / _ENOUGH) if own else _NOTHING_SAID
    most = _BY_NAME if all(evidence.field == "name" for evidence in support) else 1.0
    most = _BY_NAME if "routes" in reading.shape else most
    most = _UNTOLD if "untold" in reading.shape else most
    return round(min(most, sure * (_UNDESCRIBED if "undescribed" in reading.shape else 1)), 2)


def _marks(
    heard: _Heard, category: Category, claims: Mapping[str, Any], words: Lexicon
) -> Iterator[tuple[Mark, Evidence]]:
    for rule in words.rules["mark"]:
        quotes = heard.quotes(rule, category)
        if quotes is not None:
            yield Mark(rule.says), Evidence("description", quotes, f"{rule.says}: {rule.why}")
    for claim, mark in (("openWorldHint", Mark.OPEN_WORLD), ("idempotentHint", Mark.IDEMPOTENT)):
        if claims.get(claim) is True:
            yield mark, Evidence("annotations", f"{claim}: true", f"{mark}: claimed")


def _risk(
    heard: _Heard, category: Category, marks: Sequence[Mark], words: Lexicon
) -> tuple[Risk, str]:
    """The first rule that holds; the last of each category asks for nothing else."""
    rules = words.rules["risk"]
    rule = next(rule for rule in rules if heard.quotes(rule, category, marks) is not None)
    return Risk(rule.says), rule.why


class _Heard:
    """What a rule may name, each kind of it as a map from its name to the words that say so."""

    def __init__(self, reading: Features) -> None:
        self._maps: tuple[Mapping[str, str], ...] = (
            {
                verb_use.verb: verb_use.verb
                for verb_use in reading.verb_uses
                if verb_use.weight >= _FAINT
            },
            reading.things,
            reading.head,
            {**reading.near, **reading.things},
            reading.arguments,
            reading.phrases,
            {kind: kind for kind in reading.domain},
            dict.fromkeys(reading.shape, reading.router),
        )

    def quotes(self, rule: Rule, category: Category, marks: Sequence[Mark] = ()) -> str | None:
        """What makes the rule hold, in the definition's own words; `None` when it does not hold."""
        if rule.category and category not in rule.category:
            return None
        if rule.marks and not any(mark in marks for mark in rule.marks):
            return None
        if any(mark in marks for mark in rule.no_marks):
            return None
        quotes: list[str] = []
        for (required, excluded), heard in zip(rule.looks, self._maps, strict=True):
            if excluded and any(name in heard for name in excluded):
                return None
            if required:
                hit = next((heard[name] for name in required if name in heard), None)
                if hit is None:
                    return None
                quotes.append(hit)
        return ", ".join(quote for quote in quotes if quote)

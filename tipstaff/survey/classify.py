"""What a tool is: its category, its risk, how sure that is, and what says so. Pure and deterministic.

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

from tipstaff.survey.deeds import Deed
from tipstaff.survey.lexicon import Lexicon, Rule, lexicon
from tipstaff.survey.model import Category, Classification, Definition, Evidence, Mark, Risk
from tipstaff.survey.rationale import rationale
from tipstaff.survey.reading import Context, Reading, context, read_twice

_ORDER, _RISKS = tuple(Category), tuple(Risk)
# The worse of two categories is taken when its weight is at least this share of the other's.
_CLOSE = 0.8
_TEXT, _CLAIM = 6.0, 2.0
# A deed this faint supports a category, but is not what a rule means by its verbs.
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
    """What one reading of a definition comes to."""

    category: Category
    risk: Risk
    why: str
    """The reason of the risk."""
    reading: Reading
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


def _find(reading: Reading, claims: Mapping[str, Any], words: Lexicon) -> _Finding:
    votes = sorted(_votes(reading, claims, words), key=lambda vote: -vote.weight)
    scores = _scores(votes)
    category = max(_raised(_chosen(scores), claims), _worst_choice(votes), key=_ORDER.index)
    marks = dict(_marks(reading, category, claims, words))
    risk, why = _risk(reading, category, tuple(marks), words)
    return _Finding(category, risk, why, reading, scores, votes, marks)


def _by_category(finding: _Finding) -> int:
    return _ORDER.index(finding.category)


def _by_risk(finding: _Finding) -> int:
    return _RISKS.index(finding.risk)


def _votes(reading: Reading, claims: Mapping[str, Any], words: Lexicon) -> Iterator[_Vote]:
    for deed in reading.deeds:
        said = Evidence(deed.field, deed.words, f"{deed.category}: {deed.verb}")
        is_choice = deed.field == "schema" or "routes" in reading.shape
        yield _Vote(deed.category, deed.weight, said, is_choice)
    if "text" in reading.shape:
        said = Evidence("name", " ".join(reading.name), f"{Category.READ}: a text about something")
        yield _Vote(Category.READ, _TEXT, said)
    if claims.get("readOnlyHint") is True:
        said = Evidence("annotations", "readOnlyHint: true", f"{Category.READ}: claimed")
        yield _Vote(Category.READ, _CLAIM, said)
    loudest = max(reading.deeds, key=_weight, default=None)
    spoken = loudest.category if loudest else Category.READ
    for rule in words.rules["category"]:
        quotes = _quotes(rule, reading, spoken, ())
        if quotes is not None:
            said = Evidence("description", quotes, f"{rule.says}: {rule.why}")
            yield _Vote(Category(rule.says), rule.weight, said)


def _weight(deed: Deed) -> float:
    return deed.weight


def _scores(votes: Sequence[_Vote]) -> dict[Category, float]:
    """How much speaks for each. Of the deeds that an argument chooses among, the worst counts, twice."""
    scores: dict[Category, float] = {}
    choices: dict[Category, float] = {}
    for vote in votes:
        if vote.is_choice:
            choices[vote.category] = vote.weight
        else:
            scores[vote.category] = scores.get(vote.category, 0) + vote.weight
    worst = max(choices, key=_ORDER.index, default=Category.READ)
    if choices and (worst is not Category.READ or not scores):
        scores[worst] = scores.get(worst, 0) + 2 * choices[worst]
    return scores


def _chosen(scores: Mapping[Category, float]) -> Category:
    """The worst of those that weigh most; where nothing is said, it is taken for a change."""
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
    reading: Reading,
    support: Sequence[Evidence],
) -> float:
    """How much of what is said says so, and whether that is much. A verb of the name alone is not."""
    own, total = scores.get(category, 0.0), sum(scores.values())
    sure = own / total * min(1.0, own / _ENOUGH) if own else _NOTHING_SAID
    most = _BY_NAME if all(said.field == "name" for said in support) else 1.0
    most = _BY_NAME if "routes" in reading.shape else most
    most = _UNTOLD if "untold" in reading.shape else most
    return round(min(most, sure * (_UNDESCRIBED if "undescribed" in reading.shape else 1)), 2)


def _marks(
    reading: Reading, category: Category, claims: Mapping[str, Any], words: Lexicon
) -> Iterator[tuple[Mark, Evidence]]:
    for rule in words.rules["mark"]:
        quotes = _quotes(rule, reading, category, ())
        if quotes is not None:
            yield Mark(rule.says), Evidence("description", quotes, f"{rule.says}: {rule.why}")
    for claim, mark in (("openWorldHint", Mark.OPEN_WORLD), ("idempotentHint", Mark.IDEMPOTENT)):
        if claims.get(claim) is True:
            yield mark, Evidence("annotations", f"{claim}: true", f"{mark}: claimed")


def _risk(
    reading: Reading, category: Category, marks: Sequence[Mark], words: Lexicon
) -> tuple[Risk, str]:
    """The first rule that holds; the last of each category asks for nothing else."""
    rules = words.rules["risk"]
    rule = next(one for one in rules if _quotes(one, reading, category, marks) is not None)
    return Risk(rule.says), rule.why


def _quotes(rule: Rule, reading: Reading, category: Category, marks: Sequence[Mark]) -> str | None:
    """What makes the rule hold, in the definition's own words; `None` when it does not hold."""
    if rule.category and category not in rule.category:
        return None
    deeds = {deed.verb: deed.verb for deed in reading.deeds if deed.weight >= _FAINT}
    quotes: list[str] = []
    looks: tuple[tuple[Sequence[str], Sequence[str], Mapping[str, str]], ...] = (
        (rule.verbs, rule.no_verbs, deeds),
        (rule.things, rule.no_things, reading.things),
        (rule.head, rule.no_head, reading.head),
        (rule.near, (), {**reading.near, **reading.things}),
        (rule.arguments, rule.no_arguments, reading.arguments),
        (rule.phrases, rule.no_phrases, reading.phrases),
        (rule.marks, rule.no_marks, {mark.value: mark.value for mark in marks}),
        (rule.domain, rule.no_domain, {one: one for one in reading.domain}),
        (rule.shape, (), {one: one for one in reading.shape}),
    )
    for wanted, unwanted, found in looks:
        if any(one in found for one in unwanted):
            return None
        hit = next((found[one] for one in wanted if one in found), None)
        if wanted and hit is None:
            return None
        if hit is not None:
            quotes.append(hit)
    return ", ".join(quotes)

"""The rationale of a classification, in a sentence or two made from its evidence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tipstaff.survey.classify.features import Context, Features
from tipstaff.survey.model import Category, Evidence, Risk

_LONGEST_QUOTE = 60
_ENOUGH_SIBLINGS = 3
_MOST_REASONS = 2
_SHORTEST = 2


def rationale(
    category: Category,
    risk: Risk,
    why: str,
    support: Sequence[Evidence],
    reading: Features,
    around: Context,
) -> str:
    """`support` is what speaks for `category`, the loudest first; `why` is the reason of the risk."""
    reasons = _reasons(support)
    because = " and ".join(reasons) if reasons else "nothing says what it does"
    return f"{category}: {because}{_company(reading, around)}. Risk {risk}: {why}."


def _reasons(support: Sequence[Evidence]) -> list[str]:
    """The loudest reason, and the next one that stands in another field, or is no mere verb."""
    spoken: dict[str, list[Evidence]] = {}
    for evidence in support:
        spoken.setdefault(evidence.says.partition(": ")[2], []).append(evidence)
    reasons: list[str] = []
    heard: set[str] = set()
    for claim, support_of in spoken.items():
        fields = {evidence.field for evidence in support_of}
        if " " in claim or not fields <= heard:
            reasons.append(_reason(claim, support_of))
            heard |= fields
    return reasons[:_MOST_REASONS]


def _reason(claim: str, support: Sequence[Evidence]) -> str:
    quote = _short(support[0].words)
    fields = {evidence.field for evidence in support}
    if support[0].field == "annotations":
        return f"the server claims {quote}"
    if support[0].field == "schema":
        return f'its arguments offer "{quote}"'
    if " " in claim:
        return f'{claim} ("{quote}")' if quote else claim
    if "name" not in fields:
        return f'its {support[0].field} says "{claim}" in "{quote}"'
    others = "".join(f" and its {field}" for field in sorted(fields - {"name"}))
    return f'its name{others} {"say" if others else "says"} "{claim}"'


def _company(reading: Features, around: Context) -> str:
    """What the other tools are about, where enough of them share a word with this one."""
    verbs = {verb_use.verb for verb_use in reading.verb_uses}
    for spoken in (reading.name, reading.full):
        plain = {word.removesuffix("s") for word in spoken if len(word) > _SHORTEST} - verbs
        counts = {word: sum(word in name for name in around.names) - 1 for word in sorted(plain)}
        word = max(counts, key=lambda word_of: counts[word_of], default="")
        if word and counts[word] >= _ENOUGH_SIBLINGS:
            return f', beside {counts[word]} other tools about "{word}"'
    return ""


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST_QUOTE else f"{plain[:_LONGEST_QUOTE].rstrip()}…"

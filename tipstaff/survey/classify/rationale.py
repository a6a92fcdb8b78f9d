"""Why a tool is what it is found to be, in a sentence or two made from the evidence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tipstaff.survey.classify.features import Context, Reading
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
    reading: Reading,
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
    for said, found in spoken.items():
        fields = {evidence.field for evidence in found}
        if " " in said or not fields <= heard:
            reasons.append(_reason(said, found))
            heard |= fields
    return reasons[:_MOST_REASONS]


def _reason(said: str, found: Sequence[Evidence]) -> str:
    quote = _short(found[0].words)
    fields = {evidence.field for evidence in found}
    if found[0].field == "annotations":
        return f"the server claims {quote}"
    if found[0].field == "schema":
        return f'its arguments offer "{quote}"'
    if " " in said:
        return f'{said} ("{quote}")' if quote else said
    if "name" not in fields:
        return f'its {found[0].field} says "{said}" in "{quote}"'
    others = "".join(f" and its {field}" for field in sorted(fields - {"name"}))
    return f'its name{others} {"say" if others else "says"} "{said}"'


def _company(reading: Reading, around: Context) -> str:
    """What the other tools are about, where enough of them share a word with this one."""
    verbs = {deed.verb for deed in reading.deeds}
    for spoken in (reading.name, reading.full):
        plain = {word.removesuffix("s") for word in spoken if len(word) > _SHORTEST} - verbs
        counts = {word: sum(word in name for name in around.names) - 1 for word in sorted(plain)}
        word = max(counts, key=lambda one: counts[one], default="")
        if word and counts[word] >= _ENOUGH_SIBLINGS:
            return f', beside {counts[word]} other tools about "{word}"'
    return ""


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST_QUOTE else f"{plain[:_LONGEST_QUOTE].rstrip()}…"

"""The verbs of a definition, each with the category that it speaks for and how much it counts. Pure.

Where a verb stands says how much: at the head of the name or of the first sentence most, at the end of
the name nearly so, elsewhere little. A word that is more often a thing counts less everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from tipstaff.survey.classify.lexicon import Lexicon
from tipstaff.survey.classify.words import words
from tipstaff.survey.model import Category

# Weights, tuned together on labelled tools (`make bench-survey`).
_HEAD, _END, _MIDDLE = 3.0, 2.6, 2.0
_HEAD_IF_THING, _ALONE_IF_THING, _IF_THING = 2.4, 1.6, 1.2
_LEAD, _LEAD_IF_THING, _JOINED, _LATER = 3.0, 2.2, 1.6, 0.7
CHOICE = 3.5
_JOINED_WITHIN, _LATER_WITHIN = 6, 12
_LONGEST_SENTENCE = 40
# What generators write of every operation; the verb says nothing.
_BOILERPLATE = re.compile(
    r"(executes?|performs?|calls?|invokes?|runs?) (the|an?) [^.]{0,60}\b(operation|api|endpoint)\b"
    r"|(selects? and )?(executes?|performs?|calls?|invokes?|runs?) (any )?one of\b",
    re.IGNORECASE,
)


class VerbUse(Struct, frozen=True):
    """A verb that was found: in its plain form, and in the words around it."""

    verb: str
    category: Category
    weight: float
    field: str
    words: str


def of_name(name: Sequence[str], lexicon: Lexicon) -> Iterator[VerbUse]:
    """The verb use that a name means; more than one only where it says `and` or `or`."""
    spots = ((at, word, lexicon.verb(word)) for at, word in enumerate(name))
    verb_spots = [spot for spot in spots if spot[2] in lexicon.category_of]
    if not verb_spots:
        return
    at, word, verb = _chosen(verb_spots, len(name) - 1, lexicon)
    weight = _HEAD if at == 0 else _END if at == len(name) - 1 and word == verb else _MIDDLE
    if verb in lexicon.weak:
        weight = _IF_THING if at else _ALONE_IF_THING if len(name) == 1 else _HEAD_IF_THING
    if at and word != verb:
        weight = min(weight, _IF_THING)
    yield _verb_use(verb, weight, "name", " ".join(name), lexicon)
    for place, _, other in verb_spots:
        if place and name[place - 1] in lexicon.joins and other != verb:
            yield _verb_use(other, 2 * weight, "name", " ".join(name), lexicon)


def of_sentence(sentence: str, field: str, lexicon: Lexicon) -> Iterator[VerbUse]:
    """The verb use that a first sentence begins with, those joined to it, and faintly the others."""
    spoken = [word.partition("_")[0] for word in words(sentence)[:_LONGEST_SENTENCE]]
    start = next((at for at in range(len(spoken)) if not _opens(spoken, at, lexicon)), 0)
    if _BOILERPLATE.match(sentence):
        return
    seen: set[str] = set()
    for at in range(start, len(spoken)):
        verb = lexicon.verb(spoken[at])
        if verb not in lexicon.category_of or verb in seen:
            continue
        seen.add(verb)
        if at == start:
            carried = _carried(verb, spoken[at + 1 : at + 5], lexicon)
            weight = _LEAD_IF_THING if not carried and verb in lexicon.weak else _LEAD
            yield _verb_use(carried or verb, weight, field, sentence, lexicon)
        elif verb not in lexicon.weak:
            weight = _later(at - start, spoken[at - 1], lexicon)
            if weight:
                yield _verb_use(verb, weight, field, sentence, lexicon)


_Spot = tuple[int, str, str]


def _chosen(verb_spots: Sequence[_Spot], end: int, lexicon: Lexicon) -> _Spot:
    """Which of the verbs in a name is the verb use: `list_charges`, `droplet-delete`, `backup_restore`."""
    clear = [spot for spot in verb_spots if spot[2] not in lexicon.weak]
    last = (
        verb_spots[-1]
        if verb_spots[-1][0] == end and verb_spots[-1][1] == verb_spots[-1][2]
        else None
    )
    if verb_spots[0][0] == 0:
        gives_way = verb_spots[0][2] in lexicon.mostly_things and clear and clear[-1] is last
        return clear[-1] if gives_way else verb_spots[0]
    return clear[0] if clear else last or verb_spots[0]


def _opens(spoken: Sequence[str], at: int, lexicon: Lexicon) -> bool:
    """Whether the word only opens the sentence: `This tool allows you to`, but not `Allow a user`."""
    if spoken[at] in {"enable", "enables", "allow", "allows"}:
        return "to" in spoken[at + 1 : at + 4] or at + 2 >= len(spoken)
    return spoken[at] in lexicon.openings


def _carried(verb: str, after: Sequence[str], lexicon: Lexicon) -> str:
    """What is read where a verb only carries a noun: `run a review`, `perform a search`."""
    if verb not in lexicon.carriers or not after:
        return ""
    if after[0] not in lexicon.articles and verb not in lexicon.empty:
        return ""
    verbs = map(lexicon.verb, after[1:])
    return next((verb for verb in verbs if lexicon.category_of.get(verb) is Category.READ), "")


def _later(distance: int, before: str, lexicon: Lexicon) -> float:
    if (before in lexicon.joins and distance <= _JOINED_WITHIN) or (
        distance == 1 and before in lexicon.empty
    ):
        return _JOINED
    is_thing = before in lexicon.articles or before in lexicon.prepositions
    return 0 if is_thing or distance > _LATER_WITHIN else _LATER


def _verb_use(verb: str, weight: float, field: str, quote: str, lexicon: Lexicon) -> VerbUse:
    return VerbUse(verb, lexicon.category_of[verb], weight, field, quote[:160])

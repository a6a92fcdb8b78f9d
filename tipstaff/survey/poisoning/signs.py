"""Signs that a tool's definition was written to steer the model, or to pass for something else. Pure.

It reads every text of a definition, up to a bound, and says what it found and where. It gives no
verdict: an attack can be worded so that no list of phrases knows it, so no sign is no certificate. The
phrases are English, German, French, Spanish and Chinese, and tuned so that honest definitions, which
talk to the model too, hardly ever have a sign.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, pairwise

from msgspec import Struct

from tipstaff.survey.model import Definition, Sign
from tipstaff.survey.poisoning.characters import excerpt, fold, foreign, hidden, kind_of_hidden
from tipstaff.survey.poisoning.encoded import encoded
from tipstaff.survey.poisoning.lookalikes import lookalikes
from tipstaff.survey.poisoning.phrases import MENTION, known_phrases, sentence
from tipstaff.survey.poisoning.texts import MOST_READ, Reading, read

__all__ = ["KINDS", "lookalikes", "signs"]

KINDS = (
    "exfiltration_link", "asks_for_secrets", "instructions_to_model", "references_other_tools",
    "encoded_blob", "hidden_characters", "mixed_script", "padding", "unread_text", "oversized_text",
)  # fmt: skip
"""What `signs` can find, the gravest first."""

LONGEST_TEXT = 16_000
"""Characters of one text that need no comment: twice the longest of 1,390 honest definitions (6,993)."""

_MOST_SIGNS = 5
_WORD = re.compile(r"\w+")
_BLANKS = re.compile(r"\s{120,}")
_NAME = re.compile(r"(?<![a-z0-9_.-])[a-z0-9]+(?:[_.:/-]+[a-z0-9]+)*(?![a-z0-9_-])")
_TOOL = "tool|function|werkzeug|funktion|outil|fonction|herramienta|funcion|工具|函数|函數"
_CALLED_A_TOOL = re.compile(
    rf"['\"]? ?(?:{_TOOL})(?![a-z])|['\"]?-(?:werkzeug|tool)(?![a-z])"
    r"|['\"]?(?: is| gets| est| wird| es| sea)? (?:called|invoked|executed|appele|aufgerufen|invocad)"
    r"|['\"]?(?: [\w/.='-]+){0,6} aufrufen|['\"]?被?(?:调用|調用)"
)
_CALLED = re.compile(
    rf"(?:(?<![a-z])(?:call|invoke|invoque|llame)(?: the| tool| function)* |调用|調用"
    rf"|(?<![a-z])(?:{_TOOL})s?(?: called| named| namens| nomme| llamada)? ?)['\"]?$"
)
_QUOTES = "'\""


class _Finding(Struct, frozen=True):
    kind: str
    text: int
    start: int
    end: int
    message: str


def signs(
    definition: Definition, siblings: Collection[str], others: Collection[str] = ()
) -> tuple[Sign, ...]:
    """The signs in one tool's definition, one for a text; of each kind at most five.

    `siblings` are the names of the same server's tools, `others` those of other servers, if known.
    """
    reading = read(definition)
    findings = [
        *_unseen(reading),
        *_spoken(reading),
        *_references(reading, str(definition.get("name", "")), siblings, others),
        *_encoded(reading),
        *_oversized(reading),
    ]
    findings.sort(key=lambda finding: (finding.text, KINDS.index(finding.kind), finding.start))
    return tuple(_one_per_text(findings, reading))


def _unseen(reading: Reading) -> Iterator[_Finding]:
    """What is hidden from people: characters, look-alikes, and text behind a wall of blanks."""
    for number, text in enumerate(reading.texts):
        for start, end in hidden(text.text):
            what = kind_of_hidden(text.text[start:end])
            yield _Finding("hidden_characters", number, start, end, f"It holds {what}.")
        for word in () if text.text.isascii() else _mixed(text.text):
            says = f"`{fold(word[0])[:80]}` is written with letters of another script that look the same."
            yield _Finding("mixed_script", number, *word.span(), says)
        for blanks in _BLANKS.finditer(text.text):
            if blanks.end() < len(text.text):
                says = f"{len(blanks[0])} blanks push the text after them out of sight."
                yield _Finding("padding", number, blanks.end(), blanks.end(), says)


def _mixed(text: str) -> Iterator[re.Match[str]]:
    """Words of Latin letters with a few among them that only look Latin."""
    letters = [letter for letter in text if letter.isalpha()]
    is_latin = sum(letter.isascii() for letter in letters) * 2 > len(letters)
    for word in _WORD.finditer(text):
        if word[0].isascii() or not any(
            letter.isascii() and letter.isalpha() for letter in word[0]
        ):
            continue
        alien = [letter in foreign() for letter in word[0] if letter.isalpha()]
        changes = sum(is_alien != other for is_alien, other in pairwise(alien))
        # A Latin word with an ending of the language that the text is in is spelling.
        if any(alien) and (is_latin or changes > 1):
            yield word


def _spoken(reading: Reading) -> Iterator[_Finding]:
    for phrase in known_phrases().phrases:
        for start, end in phrase.matches(reading.document):
            yield _Finding(phrase.kind, *reading.origin(start, end), phrase.says)


def _references(
    reading: Reading, own: str, siblings: Collection[str], others: Collection[str]
) -> Iterator[_Finding]:
    """Other tools that are named together with an order about them."""
    family = {own.lower(), *(sibling.lower() for sibling in siblings)}
    known = family.union(name.lower() for name in others)
    document = reading.document
    for name in _NAME.finditer(document):
        if name[0] == own.lower() or not _is_a_tool(name, known):
            continue
        start, end = sentence(document, *name.span())
        before, after = document[start : name.start()], document[name.end() : end]
        without_name = before.rstrip(_QUOTES) + MENTION + after.lstrip(_QUOTES)
        for reference in known_phrases().references:
            if (name[0] not in family or not reference.strangers) and reference.holds(without_name):
                place = reading.origin(*name.span())
                says = f"{reference.says.removesuffix('.')}: `{name[0][:80]}`."
                yield _Finding("references_other_tools", *place, says)
                break


def _is_a_tool(name: re.Match[str], known: Collection[str]) -> bool:
    """Whether words name a tool. A plain word does only where the text says that it is one."""
    is_plain = name[0].isalnum()
    if name[0] in known and not is_plain:
        return True
    before = name.string[max(0, name.start() - 40) : name.start()]
    is_called = _CALLED_A_TOOL.match(name.string, name.end()) or _CALLED.search(before)
    is_quoted = before[-1:] in {"'", '"'}
    if name[0] in known:
        return bool(is_called) or is_quoted
    return bool(is_called) and (is_quoted or not is_plain) and "/" not in name[0]


def _encoded(reading: Reading) -> Iterator[_Finding]:
    for number, text in enumerate(reading.texts):
        for start, end, says in encoded(text.text):
            yield _Finding("encoded_blob", number, start, end, says)


def _oversized(reading: Reading) -> Iterator[_Finding]:
    for number, text in enumerate(reading.texts):
        if len(text.text) > LONGEST_TEXT:
            says = f"More than {LONGEST_TEXT:,} characters are more than anybody reads before a consent."
            yield _Finding("oversized_text", number, LONGEST_TEXT, LONGEST_TEXT, says)
    if reading.is_cut and reading.texts:
        last = len(reading.texts) - 1
        at = len(reading.texts[last].text)
        says = f"The definition is so large that only its first {MOST_READ:,} characters, at most, were read."
        yield _Finding("unread_text", last, at, at, says)


def _one_per_text(findings: Sequence[_Finding], reading: Reading) -> Iterator[Sign]:
    """One sign for each text, the gravest; it tells what else is there."""
    texts = [list(group) for _, group in groupby(findings, key=lambda finding: finding.text)]
    total = Counter(group[0].kind for group in texts)
    counts: Counter[str] = Counter()
    for gravest, *rest in texts:
        counts[gravest.kind] += 1
        if counts[gravest.kind] > _MOST_SIGNS:
            continue
        left = total[gravest.kind] - _MOST_SIGNS if counts[gravest.kind] == _MOST_SIGNS else 0
        text = reading.texts[gravest.text]
        yield Sign(
            kind=gravest.kind,
            place=text.place(gravest.start),
            excerpt=excerpt(text.text, gravest.start, gravest.end),
            message=gravest.message + _more(gravest, rest) + _left(left),
            also=tuple(
                dict.fromkeys(finding.kind for finding in rest if finding.kind != gravest.kind)
            ),
        )


def _more(gravest: _Finding, rest: Sequence[_Finding]) -> str:
    """What else was found in the same text, in a sentence."""
    others = Counter(
        finding.kind.replace("_", " ") for finding in rest if finding.kind != gravest.kind
    )
    again = len(rest) - others.total()
    words = [f"this {again} more {'time' if again == 1 else 'times'}"] * bool(again)
    words += [f"{kind} ({number})" if number > 1 else kind for kind, number in others.items()]
    return f" The same text holds {', '.join(words)}." if words else ""


def _left(texts: int) -> str:
    if texts == 1:
        return " There is 1 more text with signs of this kind."
    return f" There are {texts} more texts with signs of this kind." if texts > 0 else ""

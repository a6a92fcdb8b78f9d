"""From names and texts to plain words. Pure; knows English endings and nothing of tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_PIECE = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+(?:[0-9]+[a-z]*)?|[0-9]+")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:-[a-z]+)*")
_CODE = re.compile(r"```.*?```", re.DOTALL)
_SENTENCE_END = re.compile(
    r"(?<=[.!?])\s+(?=[A-Z*`\[(#-])|\s*\n\s*\n\s*|\n\s*(?=[-*#\d•])|\n(?=\s*[A-Z])"
)
_MARKUP = re.compile(r"[*`#>]+|<[^<>]{1,40}>")
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|vs)\.", re.IGNORECASE)
_LONGEST_TEXT = 20_000


def split_name(name: str) -> tuple[str, ...]:
    """The words of a name in snake_case, kebab-case, camelCase or a mixture, in lower case."""
    return tuple(piece.lower() for piece in _PIECE.findall(name))


def sentences(text: str) -> tuple[str, ...]:
    """The sentences and list items of a text, without mark-up and examples of code."""
    plain = _CODE.sub(" ", text[:_LONGEST_TEXT])
    plain = _ABBREVIATION.sub(lambda parts: parts[0].replace(".", ""), plain)
    parts = (_MARKUP.sub(" ", part) for part in _SENTENCE_END.split(plain))
    return tuple(" ".join(part.split()) for part in parts if any(char.isalpha() for char in part))


def words(sentence: str) -> tuple[str, ...]:
    """The words of a sentence, in lower case."""
    return tuple(_WORD.findall(sentence.lower()))


def stem(word: str, is_known: Callable[[str], bool]) -> str:
    """The form of `word` that is known: itself, or without the ending of a plural or a verb; or ""."""
    return next((form for form in _forms(word) if is_known(form)), "")


def _forms(word: str) -> Iterator[str]:
    yield word
    for ending, others in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            root = word.removesuffix(ending)
            for other in others:
                yield root + other
            if ending in {"ing", "ed", "er"} and len(root) > 2 and root[-1] == root[-2]:
                yield root[:-1]


_ENDINGS = (
    ("ies", ("y",)),
    ("es", ("", "e")),
    ("s", ("",)),
    ("ing", ("", "e")),
    ("ied", ("y",)),
    ("ed", ("", "e")),
)

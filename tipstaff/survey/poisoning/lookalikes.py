"""Names of tools that are mistaken for one another, within a server and across servers. Pure.

Three rules, chosen because honest servers break none of them but the first:

- The same name on two servers, or the same but for case and separators: who follows different habits
  of writing means no harm, so that is `same_name`, a mild sign. Within one server nothing excuses it.
- Names that look the same: equal once letters of other scripts, hidden characters, `0` and `o`, `1`,
  `l` and `i`, `rn` and `m` are taken for what they look like.
- Names across servers that differ by one slip of the pen in one word of five letters or more. One letter
  in a short word (`get`, `set`), an ending (`event`, `events`) and a name that holds the other one
  (`psubscribe`, `subscribe`) make another honest name; a last letter that stands twice does not. A
  server gains nothing by imitating itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations, islice, product

from msgspec import Struct

from tipstaff.common.visible_text import visible
from tipstaff.survey.model import Sign
from tipstaff.survey.poisoning.characters import excerpt, fold, plain

_SEPARATORS = re.compile(r"[\s_.:/-]+")
_SHORTEST_NAME, _SHORTEST_WORD, _LONGEST_NAME = 8, 5, 64
_MOST_NAMES, _MOST_PAIRS = 10_000, 200_000
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SAME_DIGITS = str.maketrans("01i|", "olll")
_ENDINGS = ("s", "es", "d", "ed", "r", "er", "ing")


class _Name(Struct, frozen=True):
    server: str
    tool: str


def lookalikes(names: Mapping[str, Collection[str]]) -> Mapping[str, Mapping[str, Sign]]:
    """The tools of each server whose names are taken for another's; the worst sign of each.

    `same_name` is mild. `lookalike_name` is not, nor is `duplicate_name`: a server that lists a name
    twice. Slips of the pen are looked for among the first 10,000 names.
    """
    signs: dict[str, dict[str, Sign]] = defaultdict(dict)
    all_names = [_Name(server, tool) for server, tools in names.items() for tool in tools]
    for kind, name, other in _pairs(all_names):
        ranks = ("same_name", "duplicate_name", "lookalike_name")
        known = signs[name.server].get(name.tool)
        if known is None or ranks.index(kind) > ranks.index(known.kind):
            signs[name.server][name.tool] = _sign(kind, name, other)
    return {server: dict(tools) for server, tools in signs.items()}


def _pairs(names: list[_Name]) -> Iterator[tuple[str, _Name, _Name]]:
    """Every name with one that it is taken for, both ways, and the kind of likeness."""
    seen: set[_Name] = set()
    by_look: dict[str, dict[_Name, None]] = defaultdict(dict)
    for name in names:
        if name in seen:
            yield "duplicate_name", name, name
        seen.add(name)
        by_look[_look(name.tool)][name] = None
    for group in by_look.values():
        yield from _within(group)
    yield from _slips(list(dict.fromkeys(names))[:_MOST_NAMES])


def _within(group: Collection[_Name]) -> Iterator[tuple[str, _Name, _Name]]:
    """Names that look the same. One partner of each kind is enough for a sign."""
    casual: dict[str, list[_Name]] = defaultdict(list)
    for name in group:
        casual[_casual(name.tool)].append(name)
    odd = [(spelling, names[0]) for spelling, names in islice(casual.items(), 2)]
    for spelling, names in casual.items():
        own: dict[str, list[_Name]] = defaultdict(list)
        for name in names:
            own[name.server].append(name)
        namesakes = [mates[0] for mates in islice(own.values(), 2)]
        for name in names:
            for other in (
                *own[name.server][:2],
                *(namesake for other, namesake in odd if other != spelling),
            ):
                if other != name:
                    yield "lookalike_name", name, other
            for other in namesakes:
                if other.server != name.server:
                    yield "same_name", name, other


def _slips(names: Collection[_Name]) -> Iterator[tuple[str, _Name, _Name]]:
    """Names across servers with one slip of the pen, found by what is left without one letter."""
    owners: dict[str, list[_Name]] = defaultdict(list)
    for name in names:
        spelling = _casual(name.tool)
        if _SHORTEST_NAME <= len(spelling) <= _LONGEST_NAME:
            owners[spelling].append(name)
    near: dict[str, list[str]] = defaultdict(list)
    for spelling in owners:
        for rest in {
            spelling,
            *(spelling[:at] + spelling[at + 1 :] for at in range(len(spelling))),
        }:
            near[rest].append(spelling)
    # The small groups first, so that a flood of names does not crowd out the others.
    groups = sorted(near.values(), key=len)
    pairs = islice((pair for group in groups for pair in combinations(group, 2)), _MOST_PAIRS)
    for spelling, other in dict.fromkeys(pairs):
        for name, stranger in product(owners[spelling][:20], owners[other][:20]):
            if name.server != stranger.server and _is_slip(name.tool, stranger.tool):
                yield "lookalike_name", name, stranger
                yield "lookalike_name", stranger, name


def _is_slip(name: str, other: str) -> bool:
    """Whether names differ in one word, by one letter, and not by an ending or a number."""
    words, others = (
        [part.lower() for part in _PARTS.findall(spelling)] for spelling in (name, other)
    )
    if len(words) != len(others):
        return False
    differing = [
        (shorter, longer)
        for shorter, longer in zip(words, others, strict=True)
        if shorter != longer
    ]
    if len(differing) != 1:
        return False
    shorter, longer = sorted(differing[0], key=len)
    if (
        len(shorter) < _SHORTEST_WORD
        or shorter.isdigit()
        or longer.removeprefix(shorter) in _ENDINGS
    ):
        return False
    return not _holds(name, other) and _distance_is_one(shorter, longer)


def _holds(name: str, other: str) -> bool:
    """Whether the longer name merely holds the shorter one."""
    short, long = sorted((_casual(name), _casual(other)), key=len)
    return len(short) < len(long) and short in long and long != short + short[-1]


def _distance_is_one(short: str, long: str) -> bool:
    """One letter more, one letter else, or two letters in the other order."""
    at = next(
        (at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short)
    )
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    if short[at + 1 :] == long[at + 1 :]:
        return True
    return short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]


def _casual(name: str) -> str:
    """The name without the habits of writing: case and separators."""
    return _SEPARATORS.sub("", name.casefold())


def _look(name: str) -> str:
    """What the name looks like."""
    seen = name if name.isascii() else fold(unicodedata.normalize("NFKC", plain(name).text))
    return _casual(seen).translate(_SAME_DIGITS).replace("rn", "m").replace("vv", "w")


def _sign(kind: str, name: _Name, other: _Name) -> Sign:
    shown = f"`{visible(other.tool, 80)}`"
    whose = (
        "of its own server"
        if other.server == name.server
        else f"of the server {visible(other.server, 60)}"
    )
    messages = {
        "same_name": f"A tool {whose} has the same name, {shown}, so a model may call the wrong one.",
        "duplicate_name": "The server lists this name twice, so nobody can tell which one is called.",
        "lookalike_name": f"It looks like {shown} {whose}, so a person may read, or allow, the wrong one.",
    }
    return Sign(kind, "name, character 1", excerpt(name.tool, 0, len(name.tool)), messages[kind])

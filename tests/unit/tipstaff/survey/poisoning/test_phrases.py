"""The known phrases: what ships can be used, and near, unless and sentences mean what they say."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import pytest

from tipstaff.survey.poisoning.characters import plain
from tipstaff.survey.poisoning.phrases import BREAK, LANGUAGES, Phrase, known_phrases, sentence

PHRASE = Phrase(
    "asks_for_secrets",
    "It asks.",
    re.compile(r"\bvault\b"),
    (re.compile(r"\bsend\b"),),
    (re.compile(r"\bnever\b"),),
)


def matches(text: str) -> int:
    return len(list(PHRASE.matches(text)))


def test_near_means_the_same_text_and_not_far_away() -> None:
    """Words at the other end of a page have nothing to do with each other."""
    assert matches("send the vault") == 1
    assert matches("the vault. then send") == 1
    assert matches(f"send {'x ' * 100} the vault") == 0
    assert matches(f"send{BREAK}the vault") == 0


def test_an_excuse_holds_in_its_own_sentence_only() -> None:
    """Otherwise one `never` would excuse a page."""
    assert matches("never send the vault") == 0
    assert matches("it never fails. send the vault") == 1
    assert matches("send the vault. it never fails") == 1


def test_a_sentence_ends_where_the_text_does() -> None:
    """Or at a full stop with a blank behind it."""
    text = f"one{BREAK}two v1.2 here! three"
    start = text.index("here")
    assert text[slice(*sentence(text, start, start + 4))] == "two v1.2 here"


def test_every_phrase_is_written_for_the_plain_form() -> None:
    """A capital letter or a double blank in a pattern would never match."""
    book = known_phrases()
    for pattern in [one.find.pattern for one in (*book.phrases, *book.references)]:
        bare = re.sub(r"\\[A-Za-z]", "", pattern)
        assert bare == bare.lower(), pattern
        assert "  " not in pattern


def test_no_phrase_repeats_without_a_bound_inside_a_repetition() -> None:
    """So that the time for a text grows with its length and no faster. A word beside a blank may."""
    word = re.compile(r"\(\?: (?:\\w|\[[^\]]*\])\+\)|\(\?:(?:\\w|\[[^\]]*\])\+ \)")
    book = known_phrases()
    patterns = [(*one.near, one.find) for one in book.references]
    patterns += [(*one.near, *one.unless, one.find) for one in book.phrases]
    for group in patterns:
        for pattern in group:
            bare = word.sub("", pattern.pattern)
            assert not re.search(r"(?<!\\)[*+](?!\])[^()]*\)[*+{]", bare), bare


def test_every_letter_folds_to_the_one_it_looks_like() -> None:
    """One for one, and no ASCII letter among them."""
    for alike, latin in known_phrases().letters.items():
        assert not alike.isascii()
        assert plain(alike).text == latin
        assert len(latin) == 1


def test_every_part_that_a_pattern_names_stands_in_it() -> None:
    """A name left over would match itself and nothing else."""
    book = known_phrases()
    for pattern in [one.find.pattern for one in (*book.phrases, *book.references)]:
        assert "<<" not in pattern.replace("<</?sys>>", "")


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_every_language_knows_every_kind_of_phrase(language: str) -> None:
    """What only English texts are searched for is what a German one gets away with."""
    name = "signs.toml" if language == "en" else f"signs.{language}.toml"
    file = tomllib.loads(
        resources.files("tipstaff.survey.poisoning").joinpath(name).read_text("utf-8")
    )
    assert {one["kind"] for one in file["phrase"]} >= {
        "instructions_to_model",
        "asks_for_secrets",
        "exfiltration_link",
    }
    assert file["reference"]

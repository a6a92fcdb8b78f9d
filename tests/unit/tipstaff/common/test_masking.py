"""Secrets in a text: masked by their key, by their form, or because they are known."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.secret_texts import FRAGMENTS
from tipstaff.common import masking
from tipstaff.common.masking import MASK, masked_text, may_hold_secret, spellings, without


@pytest.mark.parametrize(
    "flag", ["--password", "--db-password", "--api-key", "--access-token", "-pwd", "--token-file"]
)
@pytest.mark.parametrize("form", ["run {} CANARY x", "run {}  'a CANARY'", '{}\t"CANARY"'])
def test_a_secret_behind_a_flag_never_appears(flag: str, form: str) -> None:
    """A command line in one text, where only white space stands between."""
    assert "CANARY" not in masked_text(form.format(flag))


@given(FRAGMENTS)
def test_a_text_without_a_hint_has_nothing_to_mask(text: str) -> None:
    """The quick look is a proof: whatever the patterns would change, it has seen."""
    if may_hold_secret(text):
        return
    for pattern in (
        masking._SECRET_KEY,
        masking._SECRET_VALUE,
        masking._SECRET_WORD,
        masking._HEADER,
        masking._ASSIGNED,
    ):
        assert pattern.search(text) is None
    assert masked_text(text) == text


@given(FRAGMENTS)
def test_masking_twice_is_masking_once(text: str) -> None:
    """The mask itself is no secret."""
    once = masked_text(text)
    assert masked_text(masked_text(once)) == masked_text(once)


@pytest.mark.parametrize(
    "unit",
    [
        *("eyJ", "eyJ-", "-", "token", "-token", "pass=", "sk-", "://", "://a:", "a:b@", "bearer "),
        *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----END ", "basic\t", "authorization"),
        *(
            'token"',
            'pwd="',
            "pwd=\\",
            "cookie:",
            "api",
            "api-",
            "private ",
            "[",
            "\\",
            '"',
            "A ",
            " ",
        ),
    ],
)
def test_text_made_to_be_slow_is_masked_like_any_other(unit: str) -> None:
    """Each pattern reads a text a bounded number of times: a quadratic one would not end here."""
    text = unit * (200_000 // len(unit)) + " password=CANARY"
    assert "CANARY" not in masked_text(text)


def test_a_known_secret_is_masked_wherever_it_stands() -> None:
    """Whatever it looks like, and the longer one first, since it may hold another."""
    assert without("is plain-words here", ["plain-words"]) == f"is {MASK} here"
    assert without("abcdef and abcdefghi", ["abcdef", "abcdefghi"]) == f"{MASK} and {MASK}"
    assert without("nothing", ["", "other"]) == "nothing"


def test_a_known_secret_is_found_in_whatever_way_it_is_written() -> None:
    """Line by line, and as JSON writes it; a short line is an ordinary word."""
    key = '-----BEGIN KEY-----\nMII"abcdéf\nend\n-----END KEY-----'
    known = spellings([key, "", "abc"])
    assert "" not in known
    assert "end" not in known
    for text in (key, 'MII"abcdéf', json.dumps(key), json.dumps(key, ensure_ascii=False), "abc"):
        shown = without(text, known)
        assert "MII" not in shown
        assert "abc" not in shown


@given(st.text("xyz01", max_size=30), st.lists(st.text("xyz01", max_size=4), max_size=4))
def test_no_known_secret_stays(text: str, secrets: list[str]) -> None:
    """Also where one begins in another."""
    shown = without(text, secrets)
    assert not any(secret in shown for secret in secrets if secret)

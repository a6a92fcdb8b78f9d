"""The bounds of texts in messages."""

from __future__ import annotations

import pytest

from pdp.api.bounds import CodecError, optional_text, text


def test_a_text_within_its_bounds_passes() -> None:
    """Also an empty one, where that may be."""
    assert text("name", "a" * 5, 5) == "a" * 5
    assert optional_text("name", "", 5) == ""


@pytest.mark.parametrize("value", ["", "a" * 6])
def test_a_text_out_of_bounds_names_its_field(value: str) -> None:
    """So that whoever sent it finds it."""
    with pytest.raises(CodecError, match=r"^name: ") as caught:
        text("name", value, 5)
    assert caught.value.field == "name"


def test_a_text_that_may_be_empty_is_bounded_too() -> None:
    """In characters."""
    with pytest.raises(CodecError, match=r"^name: longer than 5 characters"):
        optional_text("name", "a" * 6, 5)

"""The bounds of texts in messages."""

from __future__ import annotations

import pytest

from pdp.api.bounds import CodecError, check_text


def test_a_text_within_its_bounds_passes() -> None:
    """Also an empty one, where that may be."""
    check_text("name", "a" * 5, 5, may_be_empty=False)
    check_text("name", "", 5, may_be_empty=True)


@pytest.mark.parametrize("text", ["", "a" * 6])
def test_a_text_out_of_bounds_names_its_field(text: str) -> None:
    """So that whoever sent it finds it."""
    with pytest.raises(CodecError, match=r"^name: ") as caught:
        check_text("name", text, 5, may_be_empty=False)
    assert caught.value.field == "name"

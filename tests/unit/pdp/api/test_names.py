"""Names that have one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.api.names import own_form


@pytest.mark.parametrize("name", ["greet", "my prompt", "Größe", "要約", "a.b/c:d", "😀", ""])
def test_a_name_that_all_read_alike_stays(name: str) -> None:
    """Blanks between words and letters of all languages belong to it."""
    assert own_form(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "greet ", " greet", "greet\t", "greet\n", "gre\u200bet", "gre\u00adet", "greet\u00a0", "\ufeffgreet", "greet\x00",
        "greet\u2028", "gr\u202eeet",
    ],
)  # fmt: skip
def test_what_nobody_sees_is_no_part_of_a_name(name: str) -> None:
    """Some servers drop it, and some trim."""
    assert own_form(name) == "greet"


def test_letters_are_composed() -> None:
    """File systems and databases take both forms for one."""
    assert own_form("Gro\u0308\u00dfe") == "Größe"


@given(st.text())
def test_a_names_own_form_is_its_own(name: str) -> None:
    """Nothing changes twice."""
    assert own_form(own_form(name)) == own_form(name)

"""Wrong values of settings, told in words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdp.config import Limits, PdpConfig
from pep.config import PepConfig, Server
from tipstaff.cli.configuration.setting_faults import faults_of, key_in, unknown_key

SECRET = "ghp_0123456789abcdefghij"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(kind=st.sampled_from([Server, PepConfig, PdpConfig, Limits]), data=st.data())
def test_there_is_a_fault_exactly_where_the_values_are_not_of_their_types(
    kind: Any, data: st.DataObject
) -> None:
    """What is told of, msgspec refuses; what it refuses for a type, is told of."""
    key = data.draw(st.sampled_from(kind.__struct_fields__))
    default = {"name": "s", "url": "http://x"} if kind is Server else {}
    section = {**default, key: data.draw(VALUES)}
    try:
        msgspec.convert(section, kind)
        is_refused = False
    except msgspec.ValidationError as error:
        is_refused = "Expected `" in str(error) or "Invalid enum" in str(error)
    except ValueError:
        is_refused = False
    faults = list(faults_of(kind, section))
    assert bool(faults) >= is_refused, faults
    if faults:
        with pytest.raises(ValueError):
            msgspec.convert(section, kind)


@pytest.mark.parametrize(
    "section",
    [{"bearer": [SECRET]}, {"headers": {"a": [SECRET]}}, {"command": SECRET}, {"headers": SECRET}],
)
def test_what_may_be_a_secret_is_not_quoted(section: dict[str, Any]) -> None:
    """Only what is chosen among some, and numbers."""
    faults = list(faults_of(Server, {"name": "s", **section}))
    assert len(faults) == 1
    assert SECRET not in str(faults)


def test_a_key_that_stands_elsewhere_is_told_where() -> None:
    """Else the nearest."""
    assert unknown_key("listn", ["listen"]).endswith("did you mean `listen`?")
    assert unknown_key("dir", ["listen"], ["in [policy]"]).endswith("it stands in [policy]")


def test_the_key_that_a_message_is_about_is_one_of_the_section() -> None:
    """Or none is named."""
    assert key_in("listen 'x': write HOST:PORT", {"listen": 1, "tokens": 2}) == "listen"
    assert key_in("algorithms: none", {"algorithms": 1}) == "algorithms"
    assert key_in("needs either url or command", {"name": 1}) == ""

"""Which name in a client's certificate says who calls."""

from __future__ import annotations

import pytest

from pep.callers.client_certificate import certificate_identity


@pytest.mark.parametrize(
    ("names", "identity"),
    [
        ((("URI", "spiffe://a"), ("DNS", "b")), "spiffe://a"),
        ((("DNS", "b"), ("URI", "spiffe://a"), ("URI", "c")), "spiffe://a"),
        ((("DNS", "b"), ("DNS", "c")), "b"),
        ((("IP Address", "127.0.0.1"), ("email", "x@y")), ""),
        ((), ""),
    ],
)
def test_a_certificate_names_its_first_uri_else_its_first_host(
    names: tuple[tuple[str, str], ...], identity: str
) -> None:
    """Never by its common name."""
    subject = ((("commonName", "root"),),)
    assert certificate_identity({"subject": subject, "subjectAltName": names}) == identity
    assert certificate_identity({}) == ""

"""Keys of resources' rules: only what can match."""

from __future__ import annotations

import pytest

from pdp.rules.uris import is_doubtful, key_fault, normal


@pytest.mark.parametrize(
    ("uri", "spelled"),
    [
        ("file:///srv/a", "file:///srv/a"),
        ("FILE:/srv/A", "file:///srv/A"),
        ("file://LOCALHOST/srv", "file:///srv"),
        ("file://localhost", "file:///"),
        ("file://nas/%61%2f#b", "file://nas/a%2F"),
        ("HTTPS://Host:443?%41%2b", "https://host/?A%2B"),
        ("http://host:", "http://host/"),
        ("users://{userId}/A%2B", "users://{userId}/A+"),
        ("notes:/a", "notes:///a"),
        ("no uri", "no uri"),
    ],
)
def test_a_uri_has_one_normal_form(uri: str, spelled: str) -> None:
    """Scheme and host in small letters, triplets decoded where they may be, no fragment."""
    assert normal(uri) == spelled
    assert normal(spelled) == spelled


@pytest.mark.parametrize(
    "key",
    [
        "file:///srv/*", "file:///srv/pub*", "file:*", "file://*", "file://nas/*", "https://*", "https:*", "https://host/",
        "https://host*", "https://host:44*", "https://host/a?*", "https://host/a?b=%2B", "mail://inbox", "mail:*",
        "users://{userId}/profile", "users://ann*", "file:///{+path}", "{scheme}://a/b", "x:a", "file:///a%2Fb",
    ],
)  # fmt: skip
def test_a_key_that_can_match_is_fine(key: str) -> None:
    """Whole URIs, templates of them, and beginnings that end anywhere."""
    assert key_fault(key) == ""


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        ("FILE:///srv/*", "file:///srv/*"),
        ("file:/srv/*", "file:///srv/*"),
        ("file:/*", "file:///*"),
        ("file://localhost/srv/a", "file:///srv/a"),
        ("file://localhost*", "file:///*"),
        ("https://Host*", "https://host*"),
        ("https://host:443/a", "https://host/a"),
        ("https://host", "https://host/"),
        ("file:///%61%2f", "file:///a%2F"),
        ("file:///a%2b*", "file:///a+*"),
        ("mail://Inbox", "mail://inbox"),
        ("a:b#c", "a:b"),
        ("a:b#*", "a:b*"),
    ],
)
def test_a_key_that_is_spelled_otherwise_is_told_how_it_is_spelled(key: str, spelled: str) -> None:
    """It would never match: rules are looked up by the normal form of a URI."""
    assert key_fault(key) == f"can never match: write `{spelled}`"
    assert key_fault(spelled) == ""


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("readme", "must be a URI"),
        ("*", "must be a URI"),
        ("file:///*/x", "at the end only"),
        ("file:///a b", "percent-encoded"),
        (" file:///a", "percent-encoded"),
        ("file:///ü*", "percent-encoded"),
        ("file:///%4*", "percent-encoded"),
        ("file:///a\\b", "percent-encoded"),
        ("file:///{a", "percent-encoded"),
        ("file:///a/../b", "dot segments"),
        ("file:///a/%2e%2E/*", "dot segments"),
        ("file:///a/..*", "dot segments"),
        ("file:///%252e", "dot segments"),
        ("file:srv/a", "dot segments"),
        ("https:///a", "dot segments"),
    ],
)
def test_a_key_that_can_never_match_is_told_why(key: str, fault: str) -> None:
    """Such URIs are refused, or are none."""
    assert fault in key_fault(key)


def test_what_leads_elsewhere_is_doubtful() -> None:
    """And nothing else is."""
    assert is_doubtful("file:///srv/..;/etc")
    assert not is_doubtful("file:///srv/a..b")

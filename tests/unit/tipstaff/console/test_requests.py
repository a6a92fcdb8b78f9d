"""Which requests the console takes: its own pages', and no other's."""

from __future__ import annotations

import pytest

from tipstaff.console import requests
from tipstaff.console.requests import Heads, RefusedError

OWN = "127.0.0.1:8701"


@pytest.mark.parametrize("host", [OWN, "localhost:8701", "LOCALHOST:8701", "[::1]:8701"])
def test_it_is_reached_by_the_names_of_this_machine(host: str) -> None:
    """With the port."""
    requests.check_host(Heads(host=host), 8701)


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1", "127.0.0.1:80", "evil.example:8701"]
)
def test_another_name_that_leads_here_is_refused(host: str) -> None:
    """It would make a page of that name one of ours (DNS rebinding)."""
    with pytest.raises(RefusedError) as caught:
        requests.check_host(Heads(host=host), 8701)
    assert caught.value.status == 421


@pytest.mark.parametrize(
    ("request_", "is_own"),
    [
        (Heads(OWN, fetch_site="same-origin"), True),
        (Heads(OWN, fetch_site="same-origin", origin="http://evil.example"), True),
        (Heads(OWN, origin=f"http://{OWN}"), True),
        (Heads(OWN, fetch_site="same-site", origin=f"http://{OWN}"), False),
        (Heads(OWN, fetch_site="cross-site"), False),
        (Heads(OWN, fetch_site="none"), False),
        (Heads(OWN, origin="http://evil.example"), False),
        (Heads(OWN, origin=f"https://{OWN}"), False),
        (Heads(OWN, origin="null"), False),
        (Heads(OWN), False),
    ],
)
def test_only_a_page_of_ours_may_change_something(request_: Heads, is_own: bool) -> None:
    """By what the browser says, which no page can forge; without a word of it nobody may."""
    if is_own:
        requests.check_own(request_)
        return
    with pytest.raises(RefusedError) as caught:
        requests.check_own(request_)
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        ("text/plain", b"a=1", 415), ("", b"a=1", 415), ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=1&a=2", 400),
        ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("application/x-www-form-urlencoded", b"\xff", 400),
        ("application/x-www-form-urlencoded", b"a", 400),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(20)), 400),
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused(media: str, body: bytes, status: int) -> None:
    """A field that stands twice could be read as one thing here and another there."""
    with pytest.raises(RefusedError) as caught:
        requests.form(Heads(content_type=media), body)
    assert caught.value.status == status


def test_a_form_is_read() -> None:
    """With empty fields, and texts of any language."""
    media = "application/x-www-form-urlencoded; charset=utf-8"
    fields = requests.form(Heads(content_type=media), b"note=a+%C3%BC&digest=")
    assert fields == {"note": "a ü", "digest": ""}
    assert requests.form(Heads(content_type=media), b"") == {}


def test_a_form_has_the_token_of_its_session() -> None:
    """A second lock, for browsers that say nothing of themselves."""
    requests.check_token({"token": "t"}, "t")
    for fields in ({}, {"token": ""}, {"token": "x"}, {"token": "tt"}):
        with pytest.raises(RefusedError):
            requests.check_token(fields, "t")


def test_a_header_that_stands_twice_is_refused() -> None:
    """Also where the two agree."""
    with pytest.raises(RefusedError):
        requests.heads([(b"host", b"a"), (b"Host", b"a")])
    assert requests.heads([(b"Host", b" a "), (b"x", b"y"), (b"x", b"z")]) == Heads(host="a")


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=1; b=2", "2"), ("b=2", "2"), ("b=1; b=2", ""), ("bb=1", ""), ("", ""), ("b", "")],
)
def test_a_cookie_is_there_once_or_not_at_all(text: str, value: str) -> None:
    """One that is planted beside it must not win."""
    assert requests.cookie(Heads(cookie=text), "b") == value


def test_every_answer_forbids_foreign_scripts_frames_and_forms() -> None:
    """And texts that a script makes into markup."""
    policy = dict(requests.SECURITY_LINES)[b"content-security-policy"]
    for part in (b"default-src 'none'", b"frame-ancestors 'none'", b"trusted-types 'none'"):
        assert part in policy
    assert b"unsafe" not in policy

"""Names that are taken for one another: what looks alike is told, what is merely similar is not."""

from __future__ import annotations

import pytest

from tipstaff.survey.poisoning.lookalikes import lookalikes


def kinds(**names: list[str]) -> dict[str, dict[str, str]]:
    found = lookalikes(names)
    return {
        server: {tool: sign.kind for tool, sign in tools.items()} for server, tools in found.items()
    }


def across(one: str, other: str) -> set[str]:
    """The kinds of sign when two servers have these."""
    return {kind for tools in kinds(a=[one], b=[other]).values() for kind in tools.values()}


def test_the_same_name_on_two_servers_is_a_mild_sign() -> None:
    """It happens to honest servers, and both are told."""
    assert kinds(a=["list_tables", "x"], b=["list_tables"]) == {
        "a": {"list_tables": "same_name"},
        "b": {"list_tables": "same_name"},
    }


@pytest.mark.parametrize("other", ["list-tables", "listTables", "LIST.TABLES", "list_tables_"])
def test_another_habit_of_writing_is_the_same_name(other: str) -> None:
    """Across servers: each has its own."""
    assert across("list_tables", other) == {"same_name"}


def test_two_ways_to_write_one_name_within_a_server_are_no_habit() -> None:
    """A server that has both means to be mistaken, or is."""
    assert kinds(a=["list_tables", "list-tables"]) == {
        "a": {"list_tables": "lookalike_name", "list-tables": "lookalike_name"}
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("read_file", "re\u0430d_file"),
        ("read_file", "read\u200b_file"),
        ("read_file", "read_fi1e"),
        ("read_file", "read_fiIe"),
        ("read_log", "read_l0g"),
        ("read_file", "\uff52ead_file"),
        ("list_modem", "list_modern"),
        ("copy", "\u0441\u043e\u0440\u0443"),
    ],
)
def test_what_looks_the_same_is_a_lookalike(one: str, other: str) -> None:
    """On one server as on two."""
    assert across(one, other) == {"lookalike_name"}
    assert set(kinds(a=[one, other])["a"].values()) == {"lookalike_name"}


@pytest.mark.parametrize("other", ["craete_issue", "creat_issue", "create_isssue", "create_itsue"])
def test_a_slip_of_the_pen_on_another_server_is_a_lookalike(other: str) -> None:
    """It is how names are squatted on."""
    assert across("create_issue", other) == {"lookalike_name"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("get_issue", "set_issue"),
        ("get_event", "get_events"),
        ("create_event", "created_event"),
        ("read_page_1", "read_page_2"),
        ("read_table", "read_title"),
        ("attach_disk", "detach_disk"),
        ("hget", "hset"),
    ],
)
def test_similar_names_are_not_lookalikes(one: str, other: str) -> None:
    """Short words, endings and numbers make honest families of names."""
    assert across(one, other) == set()
    assert kinds(a=[one, other]) == {}


def test_a_server_may_have_names_that_are_one_letter_apart() -> None:
    """It gains nothing by imitating itself."""
    assert kinds(a=["create_issue", "creat_issue"]) == {}
    assert across("create_issue", "creat_issue") == {"lookalike_name"}


@pytest.mark.parametrize(
    ("one", "other"), [("subscribe", "psubscribe"), ("message", "imessage"), ("search", "searchx")]
)
def test_a_name_that_merely_holds_another_is_no_lookalike(one: str, other: str) -> None:
    """Redis has both `subscribe` and `psubscribe`."""
    assert across(one, other) == set()


def test_a_last_letter_that_stands_twice_is_a_slip_of_the_pen() -> None:
    """No language makes another word of it."""
    assert across("create_issue", "create_issuee") == {"lookalike_name"}


def test_a_name_that_is_listed_twice_is_told() -> None:
    """Nobody can tell which of them a call reaches."""
    assert kinds(a=["read", "read", "write"]) == {"a": {"read": "duplicate_name"}}


def test_the_worst_sign_of_a_name_is_told() -> None:
    """A namesake on one server does not hide an impostor on another."""
    found = kinds(a=["read_file"], b=["read_file"], c=["read_fiIe"])
    assert {kind for tools in found.values() for kind in tools.values()} == {"lookalike_name"}


def test_the_other_is_named_with_what_it_hides() -> None:
    """Printed as it is, it would look the same."""
    sign = lookalikes({"a": ["read_file"], "b": ["read\u200b_file"]})["a"]["read_file"]
    assert r"`read\u{200b}_file`" in sign.message
    assert "the server b" in sign.message
    assert sign.place == "name, character 1"


def test_many_and_long_names_are_compared_up_to_a_bound() -> None:
    """A server may list anything."""
    flood = [f"create_issu{chr(0x4E00 + at)}" for at in range(8_000)]
    assert kinds(a=["create_issue"], b=["create_issue", *flood])["a"] == {
        "create_issue": "same_name"
    }
    assert kinds(a=["x" * 1_000_000], b=["x" * 999_999 + "y"]) == {}
    alike = ["".join("1l"[at >> bit & 1] for bit in range(12)) for at in range(4096)]
    assert len(kinds(a=alike)["a"]) == 4096

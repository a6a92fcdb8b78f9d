"""What is found in a definition besides its verb_uses, and what siblings say."""

from __future__ import annotations

from typing import Any

from tipstaff.survey.classify.features import Features, context, read
from tipstaff.survey.classify.lexicon import lexicon

WORDS = lexicon()


def reading(name: str, description: str = "", *siblings: str, **more: Any) -> Features:
    own = {"name": name, "description": description, **more}
    around = context([own, *({"name": one} for one in siblings)], WORDS)
    return read(own, around, WORDS)


def test_a_beginning_that_all_share_is_no_word_of_the_name() -> None:
    """A verb never is such a beginning, however many share it."""
    assert reading("jira_get_issue", "", "jira_search", "jira_add_comment").name == ("get", "issue")
    assert reading("get_issue", "", "get_user", "get_comment").name == ("get", "issue")


def test_a_version_at_the_end_is_no_word_either() -> None:
    """Generated names end so."""
    assert reading("mail_deleteAliasV1").name == ("mail", "delete", "alias")


def test_the_head_is_what_the_name_is_about() -> None:
    """Not what stands before it, nor after a preposition."""
    assert "personal" in reading("list_contacts").head
    assert "personal" not in reading("list_contact_segments").head
    assert "personal" in reading("get_order_by_id").head
    assert "infrastructure" in reading("droplet-resize").head


def test_a_longer_thing_hides_its_words() -> None:
    """A tracking option of an accounting program is no option to buy shares."""
    assert "money" in reading("update_options").things
    assert "money" not in reading("update_tracking_options").things


def test_what_a_server_is_about_is_said_by_its_names() -> None:
    """By enough of them, not by one."""
    assert "money" in reading("close_position", "", "place_order", "get_account").domain
    assert "money" not in reading("close_position", "", *(f"x{n}" for n in range(20))).domain


def test_arguments_are_known_by_their_names() -> None:
    """A list of things is bulk, a single thing of that name is not."""
    many = {"properties": {"ids": {"type": "array"}, "sql": {"type": "string"}}}
    one = {"properties": {"ids": {"type": "string"}}}
    assert reading("x", inputSchema=many).arguments == {"bulk": "ids", "code": "sql"}
    assert reading("x", inputSchema=one).arguments == {}


def test_the_shape_of_a_definition_is_told() -> None:
    """A text about something, a verb that says nothing, no verb, no description."""
    assert "text" in reading("deploy_app_help", "Shows how.").shape
    assert reading("manage_things").shape == {"manages", "silent", "undescribed"}
    assert reading("delete_things", "Deletes things.").shape == frozenset()


def test_a_definition_may_be_anything_at_all() -> None:
    """It comes from a server that nobody has looked at yet."""
    for odd in ({}, {"name": 3, "description": ["x"], "inputSchema": [], "title": {}}):
        found = read(odd, context([odd], WORDS), WORDS)
        assert found.verb_uses == ()


def test_a_phrase_is_quoted_as_it_stands_and_what_is_not_there_is_absent() -> None:
    """Looked for once, when it is asked for; the name and the description are one text."""
    phrases = reading("browser_close", "Close the tab, which cannot be undone.").phrases
    assert phrases["irreversible"] == "cannot be undone"
    assert "on_page" in phrases
    assert "says_destructive" not in phrases
    assert {"irreversible", "on_page"} <= set(phrases)
    assert len(phrases) == len(set(phrases))


def test_a_server_of_many_tools_is_about_what_enough_different_words_say() -> None:
    """However many other tools it lists."""
    words = ("navigate", "click", "screenshot", "tab", "hover")
    others = (*words, *(f"x{n}" for n in range(80)))
    assert "browser" in reading("close", "", *others).domain
    assert "browser" not in reading("close", "", *others[1:]).domain

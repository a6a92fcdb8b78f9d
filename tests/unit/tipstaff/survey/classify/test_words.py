"""Names and texts, taken apart."""

from __future__ import annotations

import pytest

from tipstaff.survey.classify.words import sentences, split_name, stem, words


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("d1_database_delete", ("d1", "database", "delete")),
        ("API-create-a-page", ("api", "create", "a", "page")),
        ("createPullRequest", ("create", "pull", "request")),
        ("manage_k8s_resource", ("manage", "k8s", "resource")),
        ("getHTTPServer2", ("get", "http", "server2")),
        ("files.read-all", ("files", "read", "all")),
        ("…", ()),
    ],
)
def test_a_name_is_split_however_it_is_written(name: str, parts: tuple[str, ...]) -> None:
    """Snake, kebab, camel, and mixtures."""
    assert split_name(name) == parts


def test_a_text_falls_into_sentences_and_list_items() -> None:
    """Mark-up and examples of code are no sentences; an abbreviation ends none."""
    text = (
        "**Delete** a thing, e.g. a file. It is gone.\n- one `item`\n```json\nDrop.\n```\n\nNotes:"
    )
    found = sentences(text)
    assert found == ("Delete a thing, eg a file.", "It is gone.", "- one item", "Notes:")


def test_words_are_plain_and_lower_case() -> None:
    """Hyphens stay, punctuation goes."""
    assert words("Re-run (the) Job_2, now!") == ("re-run", "the", "job_2", "now")


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        ("deletes", "delete"),
        ("deleting", "delete"),
        ("stopped", "stop"),
        ("copies", "copy"),
        ("queries", "query"),
        ("deletion", ""),
        ("thing", ""),
    ],
)
def test_an_ending_is_taken_off_where_the_rest_is_known(word: str, plain: str) -> None:
    """What is not known stays unknown."""
    assert stem(word, {"delete", "stop", "copy", "query"}.__contains__) == plain

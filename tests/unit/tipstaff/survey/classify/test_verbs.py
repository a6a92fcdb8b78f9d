"""Which verb a name and a sentence mean, and how much it counts."""

from __future__ import annotations

import pytest

from tipstaff.survey.classify import verbs
from tipstaff.survey.classify.lexicon import lexicon
from tipstaff.survey.classify.words import split_name

WORDS = lexicon()


def name(text: str) -> list[str]:
    return [deed.verb for deed in verbs.of_name(split_name(text), WORDS)]


def sentence(text: str) -> list[tuple[str, float]]:
    return [(deed.verb, deed.weight) for deed in verbs.of_sentence(text, "description", WORDS)]


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("list_charges", "list"),
        ("droplet-delete", "delete"),
        ("rabbitmq_broker_list_users", "list"),
        ("policy_generation_start", "start"),
        ("backup_restore", "restore"),
        ("stop_search", "stop"),
        ("get_deleted_items", "get"),
        ("list_configuration_revisions", "list"),
    ],
)
def test_a_name_means_one_of_its_verbs(text: str, verb: str) -> None:
    """At the head, at the end, or the first clear one between."""
    assert name(text) == [verb]


def test_a_name_that_says_and_means_both() -> None:
    """The second counts double: it is there to be seen."""
    first, second = verbs.of_name(("get", "or", "create", "label"), WORDS)
    assert (first.verb, second.verb) == ("get", "create")
    assert second.weight > first.weight


def test_a_name_without_a_verb_means_nothing() -> None:
    """Nor does a verb that says nothing."""
    assert name("weather") == []
    assert name("manage_weather") == []


def test_a_word_that_is_more_often_a_thing_counts_less() -> None:
    """And least when it stands alone or among others."""
    weights = [
        next(iter(verbs.of_name(split_name(text), WORDS))).weight
        for text in ("delete_x", "charge_card", "charge", "card_charge")
    ]
    assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("This tool allows you to delete files.", "delete"),
        ("Permanently deletes a broker.", "delete"),
        ("Allow a user.", "allow"),
        ("Run a health review of the cluster.", "review"),
        ("Perform a search.", "search"),
        ("Notion | Retrieve a page", "retrieve"),
    ],
)
def test_a_sentence_begins_with_its_deed(text: str, verb: str) -> None:
    """Words that only open it are passed over; a verb may only carry a noun."""
    assert sentence(text)[0][0] == verb


def test_what_generators_write_of_everything_says_nothing() -> None:
    """Else each read of that server would execute something."""
    assert sentence("Execute the AWS AmazonMQ `list_brokers` operation.") == []


def test_a_later_verb_counts_little_and_a_joined_one_more() -> None:
    """A verb that an article makes a thing does not count."""
    found = dict(sentence("Create and delete files, then archive the upload."))
    assert found["create"] > found["delete"] > 0
    assert "upload" not in found

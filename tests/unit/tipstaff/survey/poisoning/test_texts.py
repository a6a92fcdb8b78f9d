"""The texts of a definition: all of them, in order, each with its place, up to a bound."""

from __future__ import annotations

from tipstaff.survey.poisoning.texts import MOST_READ, read


def test_all_that_a_model_reads_is_read_in_order() -> None:
    """Keys, values, elements; and nothing of the rest."""
    reading = read(
        {
            "_meta": {"note": "no"},
            "inputSchema": {"properties": {"a": {"enum": ["x", 1, None]}}},
            "description": "Sums.",
            "name": "add",
        }
    )
    assert [one.text for one in reading.texts] == ["add", "Sums.", "properties", "a", "enum", "x"]
    assert [one.place(0) for one in reading.texts][-2:] == [
        "inputSchema.properties.a.enum (the name itself), character 1",
        "inputSchema.properties.a.enum[0], character 1",
    ]
    assert not reading.is_cut


def test_a_place_in_the_document_leads_to_its_text() -> None:
    """The document is the plain forms in a row."""
    reading = read({"name": "add", "description": "  Ad\u200bds TWO"})
    start = reading.document.index("two")
    assert reading.origin(start, start + 3) == (1, 8, 11)


def test_more_than_the_bound_is_cut_and_said() -> None:
    """And what was read stays in place."""
    reading = read({"name": "add", "description": "x" * MOST_READ})
    assert sum(len(one.text) for one in reading.texts) == MOST_READ
    assert reading.is_cut
    assert not read({"name": "add", "description": "x" * (MOST_READ - 3)}).is_cut


def test_a_long_path_is_shortened_in_the_middle() -> None:
    """Where it begins and where it ends is what one looks for."""
    schema: object = "end"
    for _ in range(300):
        schema = {"deep": schema}
    place = read({"inputSchema": schema}).texts[-1].place(4)
    assert place.startswith("inputSchema.deep.deep")
    assert place.endswith(".deep.deep, character 5")
    assert len(place) < 230

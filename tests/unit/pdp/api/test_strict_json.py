"""Strict JSON: what two parsers could read differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pdp.api.strict_json import (
    MAX_DEPTH,
    MAX_INTEGER_LENGTH,
    MAX_VALUES,
    UNBOUNDED,
    StrictJsonError,
    loads,
    on_one_line,
    read_proven,
    without_line_ends,
)

WHOLE = st.text(st.characters(exclude_categories=("Cs",)))
SCALARS = st.none() | st.booleans() | st.integers() | WHOLE
DOCUMENTS = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(WHOLE, inner),
    max_leaves=20,
)


def escaped(text: str) -> str:
    """`text` as a JSON string of nothing but \\u escapes."""
    units = text.encode("utf-16-be").hex()
    return '"' + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + '"'


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_every_proper_document_is_read_as_json_reads_it(
    value: Any, ascii_only: bool, indent: Any
) -> None:
    """Strictness refuses documents, it never reads one differently."""
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert loads(data) == json.loads(data) == value


@given(DOCUMENTS, st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")]), st.booleans())
def test_a_document_is_read_the_same_however_it_is_written(
    value: Any, separators: tuple[str, str], ascii_only: bool
) -> None:
    """By the short way and by the long one: value by value, and type by type."""
    data = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    assert repr(loads(data)) == repr(json.loads(data))


NUMBERS = st.from_regex(r"-?(0|[1-9]\d{0,40})(\.\d{1,40})?([eE][+-]?\d{1,3})?", fullmatch=True)


@given(
    DOCUMENTS.map(json.dumps)
    | NUMBERS
    | st.lists(NUMBERS).map(lambda numbers: f"[{','.join(numbers)}]")
    | WHOLE.map(escaped)
)
@example("9" * 308)
@example("-0.0")
@example("17976931348623157e292")
@example("2.2250738585072011e-308")
@example("4.9e-324")
def test_what_is_proven_is_read_the_same_way_by_the_faster_parser(text: str) -> None:
    """Value by value, and type by type: 1.0 is no 1, and -0.0 no 0.0."""
    try:
        value = loads(text.encode())
    except StrictJsonError:
        return
    assert repr(read_proven(text.encode())) == repr(value) == repr(json.loads(text))


@given(st.binary() | st.text('[]{}:,"\\u0019dDeE+-. \n\x00aNInfty').map(str.encode))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'"\\u' + b"d" * 100)
@example(b'"' + b"\\" * 99_999)
@example(b"9" * 100_000)
def test_no_bytes_raise_anything_but_its_own_error(data: bytes) -> None:
    """The caller has one thing to catch, whatever came over the wire."""
    try:
        value = loads(data)
    except StrictJsonError:
        return
    assert value == json.loads(data)


@given(WHOLE, st.lists(st.sampled_from(["[", '{"a":']), max_size=20), SCALARS, SCALARS)
def test_a_key_twice_is_refused_at_any_level_and_in_any_spelling(
    key: str, nest: list[str], first: Any, second: Any
) -> None:
    """Keys are compared as they are after unescaping."""
    close = "".join("]" if one == "[" else "}" for one in reversed(nest))
    pair = f"{{{json.dumps(key)}:{json.dumps(first)},{escaped(key)}:{json.dumps(second)}}}"
    with pytest.raises(StrictJsonError, match="duplicate key"):
        loads(f"{''.join(nest)}{pair}{close}".encode())


def test_the_first_key_that_comes_twice_is_named() -> None:
    """Other keys stand before it; a long one is cut short."""
    with pytest.raises(StrictJsonError, match=r"duplicate key 'b'$"):
        loads(b'{"a":1,"b":2,"b":3}')
    with pytest.raises(StrictJsonError, match=f"duplicate key '{'k' * 64}'"):
        loads(f'{{"{"k" * 99}":1,"{"k" * 99}":2}}'.encode())


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "Infinity", "-Infinity", "[NaN]", '{"a":-Infinity}', "nan", "inf"),
        *("1e400", "-1e400", "[1e309]", "1" + "0" * 309, "-" + "9" * 5000, "9" * 5000 + ".0"),
        *("1e-400", "-0.00001e-999999999", "0.0000001E-330"),
        *("", " ", "01", "1.", ".5", "+1", "0x1", "1_0", "'a'", "{a:1}", "[1,]", '{"a":1,}'),
        *('"a', '"\t"', '"\\x41"', '"\\U00000041"', "tru", "True", "None", "1 2", "{}{}", "[1]]"),
        *("// c\n1", "/**/1", "\x001", "1\x00", "\u00a01", "\ufeff1"),
        *('"\\ud800"', '"\\udc00\\ud800"', '{"\\udfff":1}', '["\\ud83d","\\ude00"]', '"\\uD800x"'),
    ],
)
def test_what_is_not_json_for_every_parser_is_refused(text: str) -> None:
    """Numbers beyond a double, lone surrogates, comments, trailing data and the like."""
    with pytest.raises(StrictJsonError):
        loads(text.encode())


@pytest.mark.parametrize("before", [*range(12), *range(295, 330)])
def test_an_integer_beyond_a_double_is_refused_wherever_it_stands(before: int) -> None:
    """One digit less is read, as are many digits in a text."""
    text = '["%s",%s,"%s"]'
    digits = "9" * (MAX_INTEGER_LENGTH + 1)
    assert loads((text % ("a" * before, digits[1:], digits)).encode())[1] == int(digits[1:])
    with pytest.raises(StrictJsonError, match="beyond the range"):
        loads((text % ("a" * before, digits, "")).encode())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_only_utf_8_without_a_mark_is_read(encoding: str) -> None:
    """`json.loads` guesses the encoding, other parsers do not."""
    with pytest.raises(StrictJsonError):
        loads('{"a":1}'.encode(encoding))


@pytest.mark.parametrize(
    "data", [b'"\xff"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"']
)
def test_bytes_that_are_not_utf_8_are_refused(data: bytes) -> None:
    """Overlong forms, encoded surrogates and what lies beyond U+10FFFF too."""
    with pytest.raises(StrictJsonError, match="not UTF-8"):
        loads(data)


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_nesting_ends_at_the_limit(opens: str, closes: str) -> None:
    """`MAX_DEPTH` levels are read, one more is not."""
    loads((opens * MAX_DEPTH + "1" + closes * MAX_DEPTH).encode())
    with pytest.raises(StrictJsonError, match="nested deeper"):
        loads((opens * (MAX_DEPTH + 1) + "1" + closes * (MAX_DEPTH + 1)).encode())


def test_brackets_in_strings_and_side_by_side_are_not_depth() -> None:
    """Only what encloses counts, and a quote may be escaped."""
    text = '[\\"{' * 100
    value = {"a": text, "b": [[]] * 100, "c\\": '"'}
    assert loads(json.dumps(value).encode()) == value


def count(value: Any) -> int:
    """How many values `value` is, as the bound counts them."""
    inner = value.values() if isinstance(value, dict) else value
    return 1 + sum(map(count, inner)) + (not value) if isinstance(value, dict | list) else 1


@given(DOCUMENTS, st.booleans())
def test_a_document_of_as_many_values_as_are_allowed_is_read_and_of_one_more_is_not(
    value: Any, ascii_only: bool
) -> None:
    """Whatever its strings hold: commas, brackets and quotes in them are no values."""
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert loads(data, count(value)) == value
    if count(value) > 1:
        with pytest.raises(StrictJsonError, match="more than"):
            loads(data, count(value) - 1)


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b"0," * MAX_VALUES + b"0]",
        b"{" + b",".join(b'"%d":0' % number for number in range(MAX_VALUES)) + b"}",
        b"[" + b'"",' * MAX_VALUES + b'""]',
        b"[" + b'"",' * (2 * MAX_VALUES) + b'""]',
        b"[" + b"{}," * MAX_VALUES + b"0]",
    ],
    ids=["numbers", "keys", "strings", "more strings", "objects"],
)
def test_a_body_of_a_million_things_is_refused(data: bytes) -> None:
    """It would take half a second of everybody's time, and a hundred bytes for each of its own."""
    with pytest.raises(StrictJsonError, match=f"more than {MAX_VALUES} values"):
        loads(data)
    assert loads(data, UNBOUNDED) == json.loads(data)


@pytest.mark.parametrize("text", ["a, b; ", '"', '\\"', "[{", "\\", "\n,"])
def test_a_long_text_is_one_value_whatever_it_holds(text: str) -> None:
    """Source code, a table or JSON within a string."""
    value = {"text": text * MAX_VALUES, "\\": [text]}
    assert loads(json.dumps(value).encode()) == value


def test_brackets_that_only_close_are_no_document() -> None:
    """They are not walked through either."""
    with pytest.raises(StrictJsonError, match="more brackets close than open"):
        loads(b"[" * (MAX_DEPTH + 1) + b"]" * 1_000_000)


def test_the_largest_numbers_of_a_double_are_read() -> None:
    """The bound is the double's, for integers and for fractions."""
    assert loads(b"17976931348623157" + b"0" * 292) == 17976931348623157 * 10**292
    assert loads(b"[1.7976931348623157e308,5e-324]") == [1.7976931348623157e308, 5e-324]
    assert math.copysign(1, loads(b"-0.0")) == -1
    assert loads(b"[0e999999,0.000,-0.0E-5]") == [0, 0, 0]


def test_large_integers_keep_every_digit() -> None:
    """A judgement on a rounded number would be about another call."""
    assert loads(b"[9007199254740993,-123456789012345678901234567890]") == [
        9007199254740993,
        -123456789012345678901234567890,
    ]


def test_escapes_of_whole_characters_are_read() -> None:
    """A pair of surrogates is one character."""
    assert loads(b'"\\ud83d\\ude00\\u0000\\u0041"') == "\U0001f600\0A"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'{"a": 1}', b'{"a": 1}'),
        (b' \r\n{"a":\n1,\r\n"b":"x\\ny"}\t\n', b'{"a": 1,  "b":"x\\ny"}'),
        (b"[\n]", b"[ ]"),
        (b'"text" ', b'"text"'),
    ],
)
def test_a_document_on_one_line_has_the_same_value(data: bytes, line: bytes) -> None:
    """A line end stands between tokens only; one in a string is escaped."""
    assert on_one_line(data) == line
    assert loads(line) == loads(data)


def test_a_message_on_several_lines_becomes_one() -> None:
    """The line ends stood between its tokens."""
    assert without_line_ends(b'{\r\n"a":\n1}') == b'{  "a": 1}'

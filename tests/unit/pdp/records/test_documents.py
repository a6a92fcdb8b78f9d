"""Documents of a record: a secret planted in any known place or form is nowhere in what comes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pdp.records.documents import MAX_RECORDED, Masked, masked_document, masked_json
from tests.secret_texts import FRAGMENTS
from tipstaff.common.masking import MASK, masked, masked_text

# No hint can be spelled with these letters.
PLAIN = st.text("bdfglmz0123456789 ./<>(){}[]'é\U0001f600\u2028", max_size=12)
PLAIN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
    max_leaves=12,
)
CORE = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=20, max_size=30)
KEYS = st.sampled_from(
    [
        *("password", "Passwd", "PASSPHRASE", "passcode", "db_pwd", "DB_PASSWORD", "pass"),
        *("secret", "client_secret", "clientSecret", "AWS_SECRET_ACCESS_KEY", "secrets"),
        *("token", "accessToken", "refresh_token", "X-Amz-Security-Token", "tokens", "jwt"),
        *("api_key", "apiKey", "X-Api-Key", "API KEY", "apikey", "api.key", "access-key"),
        *("private_key", "privateKey", "AccountKey", "encryption_key", "signing-key"),
        *("authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "bearer", "auth"),
        *("credential", "credentials", "signature", "session_id", "sessionId", "Mcp-Session-Id"),
        *("pin", "user_pin", "userPin", "otp", "otp_code", "cvv", "dbPass", "X-Auth"),
    ]
)


def spelled(key: str, escapes: list[bool]) -> str:
    """`key` as a JSON string, some of its characters as \\u escapes."""
    marks = escapes or [False]
    return "".join(
        f"\\u{ord(char):04X}" if marks[at % len(marks)] else json.dumps(char)[1:-1]
        for at, char in enumerate(key)
    )


def nested(inner: str, path: list[str]) -> str:
    """JSON text `inner` under `path`, whose steps are list places and members."""
    for step in reversed(path):
        inner = f"[1,{inner},null]" if step == "[" else f"{{{json.dumps(step)}:{inner}}}"
    return inner


def out(text: str) -> str:
    """What is recorded of a JSON text; always one line of JSON."""
    recorded = masked_json(text.encode())
    assert b"\n" not in recorded
    assert b"\r" not in recorded
    json.loads(recorded)
    return recorded.decode()


PATHS = st.lists(st.sampled_from(["[", "a", "name", "items", "value"]), max_size=6)
HOLDERS = st.sampled_from(
    ['"{}"', '["{}"]', '[["x",["{}"]]]', '{{"a":"{}"}}', '[{{"a":["{}"]}}]', '"x {} y\\n"']
)


@given(KEYS, st.lists(st.booleans(), max_size=4), CORE, HOLDERS, PATHS)
def test_what_stands_under_a_secret_key_never_appears(
    key: str, escapes: list[bool], core: str, holder: str, path: list[str]
) -> None:
    """At any depth, in any shape, however the key is spelled in JSON."""
    member = f'{{"{spelled(key, escapes)}":{holder.format(core)}}}'
    recorded = out(nested(member, path))
    assert core not in recorded
    assert MASK in recorded


TOKENS = st.sampled_from(
    [
        *("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", "eyJ{}", "eyJhbGciOiJ.{}", "eyJhbGciOiJkaXIi..a.b.{}"),
        *("sk-{}", "sk_live_{}", "pk-{}", "rk_test_{}", "sk-proj-a_b-{}"),
        *("ghp_{}", "gho_{}", "ghu_{}", "ghs_{}", "ghr_{}", "github_pat_11A_{}", "glpat-{}"),
        *("npm_{}", "hf_{}", "pypi-{}", "ya29.{}", "AKIA{}", "ASIA{}", "AIza{}"),
        *("xoxb-12-{}", "xoxp-{}", "xoxa-{}", "xapp-1-{}"),
        *("Bearer {}", "bearer\t{}", "Basic {}==", "BASIC  {}", "basic\n{}"),
        *("https://user:{}@host/x", "redis://:{}@host:6379/0", "amqp://u:a@{}@h", "://u:{}@"),
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}",
        "-----BEGIN RSA PRIVATE KEY-----\\n{}\\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\r\n\r\n{}\r\n-----END PGP PRIVATE KEY BLOCK-----",
    ]
)
BEFORE = st.sampled_from(["", "x ", "=", "url:", "[", "(", '"', "'", "_", "-", "key ", "é", "\n"])
AFTER = st.sampled_from(["", " x", '"', "'", ")", "\n", ",", ";", "é"])


@given(TOKENS, CORE, BEFORE, AFTER, PATHS, st.booleans())
def test_a_known_form_of_credential_never_appears(
    form: str, core: str, before: str, after: str, path: list[str], as_key: bool
) -> None:
    """In the middle of a text, as a value or as a key, with plain characters on either side."""
    text = f"{before}{form.format(core)}{after}"
    assert core not in masked_text(text)
    inner = json.dumps({text: 1} if as_key else [text])
    assert core not in out(nested(inner, path))


ASSIGNED = st.sampled_from(
    [
        *("{key}={core}", "{key}: {core}", "{key} = {core}", "{key}:={core}", "{key} => {core}"),
        *("?a=1&{key}={core}&b=2", "a=1; {key}={core}; b=2", "--{key}={core}"),
        *("{key}: '{core}'", '{key}="a b {core} c"', "{key}='it\\'s {core}'", "{key}=`{core}`"),
        *('{{"{key}":"{core}"}}', '{{"{key}": "a \\" b {core}"}}', "{{'{key}': 'a {core}'}}"),
        *('x {{"{key}": "a {core} b"}} y', '[{{"{key}":["a b","{core}"]}}]', '{key}="open {core}'),
        *("<{key}>{core}</{key}>", '<a {key}="a {core}">', "{key}[0]={core}", "{key}\n:\n{core}"),
        '{{\\"{key}\\": \\"a {core}\\"}}',
    ]
)
WORDS = st.sampled_from(
    [
        *("password", "DB_PASSWORD", "api_key", "apiKey", "X-Api-Key", "client_secret", "pwd"),
        *("access_token", "AccountKey", "user_pin", "Authorization", "Set-Cookie", "session_id"),
    ]
)


@given(ASSIGNED, WORDS, CORE, BEFORE)
@example("{key}={core}", "PGPASSWORD", "HUNTER", "")
def test_a_secret_behind_its_key_in_one_text_never_appears(
    form: str, key: str, core: str, before: str
) -> None:
    """In query strings, assignments, headers, quotes, markup and JSON within a string."""
    text = before + form.format(key=key, core=core)
    assert core not in masked_text(text)
    assert core not in out(json.dumps({"body": text}))


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: token CANARY",
        "authorization: Digest username=a, response=CANARY",
        "Cookie: a=1; sid=CANARY; b=2",
        "Set-Cookie: sid=CANARY; Path=/",
        'curl -H "Authorization: ApiKey CANARY" https://h',
        "Password=x;AccountKey=CANARY==;Endpoint=h",
    ],
)
def test_the_whole_of_a_header_is_masked(text: str) -> None:
    """Its value has several words, and any may be the secret."""
    assert "CANARY" not in masked_text(text)
    assert "CANARY" not in out(json.dumps([text]))


@pytest.mark.parametrize(
    "value",
    [
        {"env": [{"name": "DB_PASSWORD", "value": "CANARY"}]},
        {"env": [{"value": "CANARY", "name": "DB_PASSWORD"}]},
        {"headers": [{"key": "Authorization", "Value": ["CANARY"]}]},
        {"headers": [{"header": "X-Api-Key", "value": {"a": "CANARY"}}]},
        {"headers": [["Cookie", "CANARY"], ["Accept", "x"]]},
        {"args": ["--user", "bob", "--password", "CANARY"]},
        {"args": ["-token", "CANARY"]},
        ["secret:", "CANARY"],
        {"body": '{"a": {"\\u0070assword": "CANARY"}}'},
        {"body": ' [{"token": ["CANARY"]}]'},
        {"body": json.dumps({"inner": json.dumps({"password": "CANARY"})})},
        {"body": '{"a":1,"a":2,"password":"CANARY"}'},
        {"password=CANARY": True},
    ],
)
def test_a_secret_that_is_named_beside_it_never_appears(value: Any) -> None:
    """In lists of pairs, commands, name and value members, and JSON within a string."""
    recorded = out(json.dumps(value))
    assert "CANARY" not in recorded
    assert MASK in recorded


@given(PLAIN_JSON)
@example({"title": "Basket of 3", "ok": True, "path": "/var/log/app.log", "n": 1.5})
@example([["user", "bob"], {"name": "colour", "value": "red"}, "2 + 2 : 4"])
@example("https://example.com:8080/a/b?x=1&y=2")
def test_plain_values_are_recorded_as_they_are(value: Any) -> None:
    """Nothing is masked without a reason, whether or not something else in the call is."""
    assert json.loads(out(json.dumps(value))) == value
    assert masked(value) == value
    beside = json.loads(out(json.dumps({"plain": value, "password": "x"})))
    assert beside == {"plain": value, "password": MASK}


@given(PLAIN_JSON)
def test_bytes_that_can_hold_no_secret_are_not_touched(value: Any) -> None:
    """Spacing and the spelling of numbers stay."""
    data = json.dumps(value, ensure_ascii=False).encode()
    assert masked_json(data) == data


def test_a_flag_or_nothing_is_no_secret() -> None:
    """Whether there is a password may be known."""
    value = {"password": None, "use_token": True, "pin": False}
    assert json.loads(out(json.dumps(value))) == value


@pytest.mark.parametrize("held", ["", 0, 1234, 1.5, [], {}])
def test_anything_else_under_a_secret_key_is_masked(held: Any) -> None:
    """A number may be a PIN; what is empty is not told apart."""
    assert json.loads(out(json.dumps({"pin": held}))) == {"pin": MASK}


@pytest.mark.parametrize("key", ["spinner", "opinion", "compass", "author", "bypass", "helpPinned"])
def test_a_word_that_only_holds_a_short_one_is_plain(key: str) -> None:
    """`pin`, `otp`, `pass` and `auth` count as words of their own only."""
    assert json.loads(out(json.dumps({key: "x"}))) == {key: "x"}


@given(
    st.recursive(
        FRAGMENTS | st.integers() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(FRAGMENTS | st.sampled_from(["name", "value"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    st.booleans(),
)
def test_any_document_gives_one_line_of_json(value: Any, ascii_only: bool) -> None:
    """And what is left untouched is what the full look would have left."""
    data = json.dumps(value, ensure_ascii=ascii_only, indent=1).encode()
    json.loads(out(data.decode()))
    compact = json.dumps(value, ensure_ascii=False).encode()
    if masked_json(compact) == compact:
        assert masked(value) == value


def test_line_ends_in_the_document_do_not_break_the_line() -> None:
    """Between members they become blanks, in strings they stay escaped."""
    assert out('{"a":\r\n"x\\ny",\n"b":[\n]}\n') == '{"a":  "x\\ny", "b":[ ]}'


def test_large_documents_are_named_and_left_out() -> None:
    """The journal is no store of payloads."""
    at_limit = json.dumps("x" * (MAX_RECORDED - 2)).encode()
    assert masked_json(at_limit) == at_limit
    beyond = json.dumps("x" * (MAX_RECORDED - 1)).encode()
    assert masked_json(beyond) == b'{"[omitted]": "16385 bytes"}'


def test_documents_within_documents_do_not_exhaust_the_stack() -> None:
    """Only the first is read as one; the deeper ones are masked as text."""
    value: Any = "password=CANARY"
    for _ in range(5):
        value = json.dumps(nested_lists(value, 60))
    assert "CANARY" not in out(json.dumps(nested_lists(value, 60)))


def nested_lists(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({"password": "x", "user": "y"}, ("/password",)),
        ({"user": {"token": "x", "n": [1, {"secret": 2}]}}, ("/user/token", "/user/n/1/secret")),
        ({"argv": ["--token", "x", "-v"]}, ("/argv/1",)),
        ({"a/b~c": {"password": 1}}, ("/a~1b~0c/password",)),
        ({"q": "see ?token=abc"}, ("/q",)),
        ({"ghp_" + "a" * 20: {"k": 1}}, ("/[masked]",)),
        ({"ghp_" + "a" * 20: 1, "ghp_" + "b" * 20: 2}, ("",)),
        ({"password": True, "token": None, "text": "[masked] session key"}, ()),
        ({"password": "[masked]"}, ()),
        ({"inner": '{"session": 1.50}'}, ()),
    ],
)
def test_what_was_masked_is_pointed_to(value: Any, pointers: tuple[str, ...]) -> None:
    """A text that reads like a mask is told apart from one."""
    document = masked_document(json.dumps(value).encode())
    assert document.pointers == pointers
    assert not document.is_omitted


def test_a_document_in_which_nothing_is_masked_stays_as_it_was() -> None:
    """Byte for byte, also after a closer look: a digest is taken of it."""
    data = b'{ "session" : "x", "key":1.50, "big":12345678901234567890123, "e":"\\u00e9" }'
    assert masked_document(data) == Masked(data)


def test_pointers_to_much_that_was_masked_lead_to_the_whole() -> None:
    """They may not grow longer than the document."""
    long = "k" * 600
    value = {long: {f"token{number}": "x" for number in range(20)}}
    assert masked_document(json.dumps(value).encode()).pointers == ("",)


def test_a_document_that_is_left_out_says_so() -> None:
    """A caller can send the words that stand in its place."""
    assert masked_document(b'{"a":"' + b"x" * MAX_RECORDED + b'"}').is_omitted
    assert not masked_document(b'{"[omitted]": "16385 bytes"}').is_omitted

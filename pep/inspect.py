"""What in a server's message must be judged before the client sees it. Pure.

Three things: a request of the server to the client, the entries of a list, and the requests that
wait in a result that asks for input. Most messages hold none, which a look at their bytes tells; the
others are parsed as strictly as a client's, because what two parsers read differently might show one
of them what was to be hidden.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, TypeGuard

import msgspec
from msgspec import Raw, Struct

from pdp.api import definition, strict_json
from pdp.api.codec import MAX_TARGET
from pdp.api.model import Direction, Phase
from pep.errors import AnswerUnreadable
from pep.jsonrpc import ENVELOPE, Id
from pep.lookalike import Keys, fold, keys
from pep.methods import LISTS, Listing, Target, Treatment, server_method
from pep.raw import joined, members

# In lower case. A letter written as an escape, or one that folds to a letter, could be one of these.
_WORDS = (
    b'"method"',
    b'"tools"',
    b'"prompts"',
    b'"resources"',
    b'"resourcetemplates"',
    b'"tasks"',
    b'"taskid"',
    b'"inputrequests"',
    # As the Python SDK's clients read them, too.
    b'"resource_templates"',
    b'"task_id"',
    b'"input_requests"',
    b"\\u004",
    b"\\u005",
    b"\\u006",
    b"\\u007",
    b"\\u017f",
    b"\\u212a",
    b"\xc5\xbf",
    b"\xe2\x84\xaa",
)
# What must not be in a message that is too large to be parsed.
_WORDS_OF_LARGE = (
    b'"inputrequests"',
    b'"input_requests"',
    b'"inputschema"',
    b"createmessage",
    b"elicitation/create",
    b"elicitation\\/create",
    b"roots/list",
    b"roots\\/list",
    b"\\u004",
    b"\\u005",
    b"\\u006",
    b"\\u007",
)
# An answer may be larger than a call.
_MAX_VALUES = 200_000
LONGEST_WORD = max(map(len, _WORDS_OF_LARGE))


class Kind(Enum):
    """What was found in a message."""

    REQUEST = "request"
    LIST = "list"
    INPUT = "input"


class Question(Struct, frozen=True):
    """One thing to be judged; `arguments` is a JSON object as it stands in the message.

    `definition` is the digest of a listed tool's definition.
    """

    method: str
    target: str = ""
    arguments: bytes = b"{}"
    phase: Phase = Phase.CALL
    direction: Direction = Direction.TO_CLIENT
    definition: str = ""


class Finding(Struct, frozen=True):
    """A message that holds something to be judged: one question per request or entry, in order."""

    kind: Kind
    questions: tuple[Question, ...]
    id: Id | None = None
    listing: Listing | None = None


class Created(Struct, frozen=True):
    """A task that a result names."""

    task: str


class Withdrawn(Struct, frozen=True):
    """A request of the server that it wants no answer to any more."""

    id: Id


def may_matter(message: bytes) -> bool:
    """Whether the message has to be parsed at all."""
    low = message.lower()
    return any(word in low for word in _WORDS)


def may_matter_though_large(piece: bytes) -> bool:
    """Whether a piece of a message too large to parse holds what would have had to be judged."""
    low = piece.lower()
    return any(word in low for word in _WORDS_OF_LARGE)


def inspect(message: bytes) -> Finding | Created | Withdrawn | None:
    """What is to be judged in `message`; raises `AnswerUnreadable` when that cannot be told."""
    try:
        value = strict_json.loads(message, _MAX_VALUES)
        if not isinstance(value, dict):
            raise ValueError("it is no object")  # noqa: TRY004 - a message that says nothing clear
        _check_keys(value, ENVELOPE)
        if "method" in value:
            return _request(message, value) if "id" in value else _withdrawn(value)
        result = value.get("result")
        if isinstance(result, dict):
            return _result(message, value.get("id"), result)
    except (strict_json.StrictJsonError, msgspec.DecodeError, ValueError) as error:
        raise AnswerUnreadable(f"the server's message cannot be read: {error}") from error
    return None


def kept(message: bytes, finding: Finding, keep: tuple[bool, ...], most_ttl_ms: int) -> bytes:
    """A list's message with the entries to keep, their bytes untouched.

    A shared cache must not show one caller's list to another, nor one that is older than the rules:
    `cacheScope` becomes private, and `ttlMs` at most `most_ttl_ms`, where the server says them.
    """
    assert finding.listing is not None  # noqa: S101 - asked for lists only
    envelope = members(message)
    result = members(envelope["result"])
    member = finding.listing.member
    entries = _ENTRIES.decode(result[member])
    changed: dict[str, bytes] = {}
    if not all(keep):
        left = [bytes(entry) for entry, is_kept in zip(entries, keep, strict=True) if is_kept]
        changed[member] = b"[" + b",".join(left) + b"]"
    if "cacheScope" in result and bytes(result["cacheScope"]) != b'"private"':
        changed["cacheScope"] = b'"private"'
    if "ttlMs" in result and not _is_at_most(result["ttlMs"], most_ttl_ms):
        changed["ttlMs"] = b"%d" % most_ttl_ms
    if not changed:
        return message
    return joined({**envelope, "result": joined({**result, **changed})})


def _request(message: bytes, value: dict[str, Any]) -> Finding:
    """A request that passes unjudged has no question, but may be answered like any other."""
    question = _question(message, value["method"], value.get("params", {}))
    request_id = value["id"]
    if not _is_id(request_id):
        raise ValueError("its id is neither a string nor an integer")
    return Finding(Kind.REQUEST, () if question is None else (question,), request_id)


def _withdrawn(value: dict[str, Any]) -> Withdrawn | None:
    """The request that a notification cancels, if it names one."""
    params = value.get("params")
    if value["method"] != "notifications/cancelled" or not isinstance(params, dict):
        return None
    named = params.get("requestId")
    return Withdrawn(named) if _is_id(named) else None


def _is_id(value: Any) -> TypeGuard[Id]:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _question(holder: bytes, method: Any, params: Any) -> Question | None:
    """The question that a request of the server is; `None` when its method needs no judgement."""
    if not isinstance(method, str) or not isinstance(params, dict):
        raise ValueError("a request has a method and parameters")  # noqa: TRY004 - see `inspect`
    row = server_method(method)
    if row.treatment is Treatment.PASS:
        return None
    parts = members(holder)
    target = params.get("taskId", "") if row.target is Target.TASK else ""
    return Question(method, str(target)[:MAX_TARGET], bytes(parts.get("params", b"{}")))


def _result(message: bytes, answered: Any, result: dict[str, Any]) -> Finding | Created | None:
    _check_keys(result, _RESULT)
    waiting = result.get("inputRequests")
    listings = [one for one in LISTS if isinstance(result.get(one.member), list)]
    if len(listings) + (waiting is not None) > 1:
        raise ValueError("it answers more than one question")
    if waiting is not None:
        return _input(message, answered, waiting)
    if listings:
        return _list(answered, listings[0], result[listings[0].member])
    task = result.get("task")
    named = task.get("taskId") if isinstance(task, dict) else result.get("taskId")
    return Created(named) if isinstance(named, str) else None


def _input(message: bytes, answered: Any, waiting: Any) -> Finding | None:
    if not isinstance(waiting, dict):
        raise ValueError("inputRequests is no object")  # noqa: TRY004 - see `inspect`
    raw = members(members(members(message)["result"])["inputRequests"])
    questions = []
    for key, request in waiting.items():
        if not isinstance(request, dict):
            raise ValueError("an input request is no object")  # noqa: TRY004 - see `inspect`
        _check_keys(request, ENVELOPE)
        questions.append(_question(raw[key], request.get("method"), request.get("params", {})))
    asked = tuple(question for question in questions if question is not None)
    return Finding(Kind.INPUT, asked, answered if isinstance(answered, str | int) else None)


def _list(answered: Any, listing: Listing, entries: list[Any]) -> Finding:
    questions = tuple(
        Question(
            listing.method,
            _named(entry, listing),
            phase=Phase.LIST,
            direction=Direction.TO_SERVER,
            definition=_digest(entry) if listing.member == "tools" else "",
        )
        for entry in entries
    )
    return Finding(Kind.LIST, questions, answered if isinstance(answered, str | int) else None, listing)  # fmt: skip


def _named(entry: Any, listing: Listing) -> str:
    name = entry.get(listing.key) if isinstance(entry, dict) else None
    if not isinstance(name, str) or len(name) > MAX_TARGET:
        raise ValueError(f"an entry of {listing.member} has no {listing.key}")
    folded = fold(listing.key)
    if any(key != listing.key and fold(key) == folded for key in entry):
        raise ValueError(f"an entry of {listing.member} has two keys like {listing.key}")
    return name


def _digest(tool: dict[str, Any]) -> str:
    """A key that looks like a counted one would be read by some clients, and not be counted."""
    _check_keys(tool, _DEFINITION)
    return definition.digest(tool)


def _check_keys(value: dict[str, Any], known: Keys) -> None:
    key = known.lookalike(value)
    if key is not None:
        raise ValueError(f"the key {key[:64]!r} looks like another key of the protocol")


def _is_at_most(number: bytes | Raw, most: int) -> bool:
    value = json.loads(bytes(number))
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


_ENTRIES = msgspec.json.Decoder(list[Raw])
_DEFINITION = keys(*definition.MEMBERS)
_RESULT = keys(
    "resultType", "inputRequests", "cacheScope", "ttlMs", "task", "taskId",
    *(listing.member for listing in LISTS),
)  # fmt: skip

"""What in a server's message must be judged before the client sees it. Pure.

Three things: a request of the server to the client, the entries of a list, and the requests that
wait in a result, an error or a notification that asks for input. Most messages hold none, which a
look at their bytes tells; the others are parsed as strictly as a client's, because what two parsers
read differently might show one of them what was to be hidden.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

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

MOST_ENTRIES = 10_000
_MOST_ASKED = 64


class Kind(Enum):
    """What was found in a message; a notice is a notification that asks for input."""

    REQUEST = "request"
    LIST = "list"
    INPUT = "input"
    NOTICE = "notice"


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


def inspect(message: bytes) -> Finding | Created | None:
    """What is to be judged in `message`; raises `AnswerUnreadable` when that cannot be told."""
    try:
        value = strict_json.loads(message)
        if not isinstance(value, dict):
            raise ValueError("it is no object")  # noqa: TRY004 - a message that says nothing clear
        _check_keys(value, ENVELOPE)
        said = [name for name in ("method", "result", "error") if value.get(name) is not None]
        if len(said) > 1:
            raise ValueError("it is a request and an answer, or a result and an error")
        return _found(message, value)
    except (strict_json.StrictJsonError, msgspec.DecodeError, ValueError) as error:
        raise AnswerUnreadable(f"the server's message cannot be read: {error}") from error


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


def _found(message: bytes, value: dict[str, Any]) -> Finding | Created | None:
    answered = value.get("id") if isinstance(value.get("id"), str | int) else None
    if "method" in value:
        return _request(message, value) if "id" in value else _notice(message, value)
    if isinstance(value.get("result"), dict):
        return _result(message, answered, value["result"])
    if isinstance(value.get("error"), dict) and (links := _links(message, value["error"])):
        return Finding(Kind.INPUT, tuple(links), answered)
    return None


def _request(message: bytes, value: dict[str, Any]) -> Finding | None:
    params = value.get("params", {})
    question = _question(message, value["method"], params)
    if _asked(message, "params", params):
        raise ValueError("it is a request that holds others")
    if question is None:
        return None
    request_id = value["id"]
    if isinstance(request_id, bool) or not isinstance(request_id, str | int):
        raise ValueError("its id is neither a string nor an integer")  # noqa: TRY004 - see `inspect`
    return Finding(Kind.REQUEST, (question,), request_id)


def _notice(message: bytes, value: dict[str, Any]) -> Finding | None:
    params = value.get("params")
    asked = _asked(message, "params", params) if isinstance(params, dict) else []
    return Finding(Kind.NOTICE, tuple(asked)) if asked else None


def _question(holder: bytes | Raw, method: Any, params: Any) -> Question | None:
    """The question that a request of the server is; `None` when its method needs no judgement."""
    if not isinstance(method, str) or not isinstance(params, dict):
        raise ValueError("a request has a method and parameters")  # noqa: TRY004 - see `inspect`
    _check_keys(params, _PARAMS)
    row = server_method(method)
    if row.treatment is Treatment.PASS:
        return None
    target = params.get("taskId", "") if row.target is Target.TASK else ""
    arguments = bytes(members(holder).get("params", b"{}"))
    return Question(method, str(target)[:MAX_TARGET], arguments)


def _result(
    message: bytes, answered: Id | None, result: dict[str, Any]
) -> Finding | Created | None:
    _check_no(dict, result)
    listings = [listing for listing in LISTS if isinstance(result.get(listing.member), list)]
    asked = _asked(message, "result", result)
    if len(listings) + (result.get("inputRequests") is not None or bool(asked)) > 1:
        raise ValueError("it answers more than one question")
    if asked:
        return Finding(Kind.INPUT, tuple(asked), answered)
    if listings:
        return _list(answered, listings[0], result[listings[0].member])
    task = result.get("task")
    named = task.get("taskId") if isinstance(task, dict) else result.get("taskId")
    return Created(named) if isinstance(named, str) else None


def _asked(holder: bytes | Raw, name: str, value: dict[str, Any]) -> list[Question]:
    """The requests that wait in `value`, the member `name` of `holder`, and in what it holds.

    A task holds the result or the error of its call, and is itself held by a notification, or as
    `task` by a result (MCP 2025-11-25, tasks; SEP-2663).
    """
    _check_keys(value, _RESULT)
    waiting = value.get("inputRequests")
    inner = [member for member in _INNER if isinstance(value.get(member), dict)]
    if waiting is None and not inner:
        return []
    own = members(holder)[name]
    asked = [] if waiting is None else _waiting(own, waiting)
    for member in inner:
        if member == "error":
            asked += _links(own, value["error"])
        else:
            _check_no((dict, list), value[member])
            asked += _asked(own, member, value[member])
    if len(asked) > _MOST_ASKED:
        raise ValueError(f"it asks for more than {_MOST_ASKED} things at once")
    return asked


def _waiting(holder: bytes | Raw, waiting: Any) -> list[Question]:
    """The requests of a result that asks for input (MCP 2026-07-28)."""
    if not isinstance(waiting, dict):
        raise ValueError("inputRequests is no object")  # noqa: TRY004 - see `inspect`
    raw = members(members(holder)["inputRequests"])
    asked = []
    for key, request in waiting.items():
        if not isinstance(request, dict):
            raise ValueError("an input request is no object")  # noqa: TRY004 - see `inspect`
        _check_keys(request, ENVELOPE)
        asked.append(_question(raw[key], request.get("method"), request.get("params", {})))
    return [question for question in asked if question is not None]


def _links(holder: bytes | Raw, error: dict[str, Any]) -> list[Question]:
    """The URLs that a client is to open (MCP 2025-11-25, URLElicitationRequiredError)."""
    _check_keys(error, _ERROR)
    data = error.get("data")
    if not isinstance(data, dict):
        return []
    _check_keys(data, _ERROR_DATA)
    links = data.get("elicitations")
    if links is None:
        return []
    if not isinstance(links, list) or len(links) > _MOST_ASKED:
        raise ValueError(f"elicitations is no list of at most {_MOST_ASKED}")
    raw = members(members(members(holder)["error"])["data"])["elicitations"]
    asked = [
        _question(joined({"params": entry}), "elicitation/create", link)
        for entry, link in zip(_ENTRIES.decode(raw), links, strict=True)
    ]
    return [question for question in asked if question is not None]


def _list(answered: Id | None, listing: Listing, entries: list[Any]) -> Finding:
    if len(entries) > MOST_ENTRIES:
        raise ValueError(f"more than {MOST_ENTRIES} entries of {listing.member}")
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
    return Finding(Kind.LIST, questions, answered, listing)


def _named(entry: Any, listing: Listing) -> str:
    name = entry.get(listing.key) if isinstance(entry, dict) else None
    if not isinstance(name, str) or len(name) > MAX_TARGET:
        raise ValueError(f"an entry of {listing.member} has no {listing.key}")
    if any(key != listing.key and fold(key) == listing.key for key in entry):
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


def _check_no(kinds: type | tuple[type, ...], value: dict[str, Any]) -> None:
    """Refuse lists where the protocol has none, and objects that some take for lists."""
    for listing in LISTS:
        if value.get(listing.member) and isinstance(value[listing.member], kinds):
            raise ValueError(f"{listing.member} is no list that can be judged")


def _is_at_most(number: bytes | Raw, most: int) -> bool:
    value = json.loads(bytes(number))
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


_ENTRIES = msgspec.json.Decoder(list[Raw])
_DEFINITION = keys(*definition.MEMBERS)
_RESULT = keys(
    "resultType", "inputRequests", "cacheScope", "ttlMs", "task", "taskId", "result", "error",
    *(listing.member for listing in LISTS),
)  # fmt: skip
_ERROR = keys("code", "message", "data")
_ERROR_DATA = keys("elicitations")
# Of what a server asks for: sampling, elicitation, roots, its client's tasks.
_PARAMS = keys(
    "_meta", "task", "taskId", "message", "mode", "requestedSchema", "url", "elicitationId",
    "messages", "modelPreferences", "systemPrompt", "includeContext", "temperature", "maxTokens",
    "stopSequences", "metadata", "tools", "toolChoice",
)  # fmt: skip
_INNER = ("result", "task", "error")

"""Finds the parts of a server's message that must be judged before the client sees it. Pure.

Three things: a request of the server to the client, the entries of a list, and the requests that
wait in a result, an error or a notification that asks for input. Most messages hold none, which a
scan of their bytes tells; the others are parsed as strictly as a client's, because a message that two
parsers read differently might show one of them a part that was to be hidden.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, TypeGuard

import msgspec
from msgspec import Raw, Struct

from pdp.api import definition, strict_json
from pdp.api.bounds import MAX_LIST_ENTRIES, MAX_TARGET
from pdp.api.model import Direction, Phase
from pep.errors import AnswerUnreadable
from pep.mcp.json_splice import joined, members
from pep.mcp.jsonrpc import ENVELOPE, Id
from pep.mcp.lookalikes import fold, keys
from pep.mcp.methods import LISTS, Listing
from pep.mcp.questions import Question, check_keys, check_no, links, question, questions_in

# An answer may be larger than a call.
_MAX_VALUES = 200_000


class Kind(Enum):
    """The kind of a finding; a notice is a notification that asks for input."""

    REQUEST = "request"
    LIST = "list"
    INPUT = "input"
    NOTICE = "notice"


class Finding(Struct, frozen=True):
    """The questions of a message that must be judged: one per request or entry, in order."""

    kind: Kind
    questions: tuple[Question, ...]
    id: Id | None = None
    listing: Listing | None = None


class Created(Struct, frozen=True):
    """A task that a result names."""

    task: str


class Withdrawn(Struct, frozen=True):
    """A request of the server that the server has cancelled."""

    id: Id


def inspect(message: bytes) -> Finding | Created | Withdrawn | None:
    """The part of `message` to be judged; raises `AnswerUnreadable` when it cannot be told."""
    try:
        value = strict_json.loads(message, _MAX_VALUES)
        if not isinstance(value, dict):
            raise ValueError("it is no object")  # noqa: TRY004 - a message that says nothing clear
        check_keys(value, ENVELOPE)
        if not isinstance(value.get("method", ""), str):
            raise ValueError("its method is no string")  # noqa: TRY004 - the same
        if sum(value.get(name) is not None for name in ("method", "result", "error")) > 1:
            raise ValueError("it is a request and an answer, or a result and an error")
        return _finding(message, value)
    except (strict_json.StrictJsonError, msgspec.DecodeError, ValueError) as error:
        raise AnswerUnreadable(f"the server's message cannot be read: {error}") from error


def kept(message: bytes, finding: Finding, keep: tuple[bool, ...], most_ttl_ms: int) -> bytes:
    """A list's message with the entries to keep, their bytes untouched.

    A shared cache must not show one caller's list to another, nor a list that is older than the rules:
    `cacheScope` becomes private, and `ttlMs` at most `most_ttl_ms`, where the message has them.
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


def _finding(message: bytes, value: dict[str, Any]) -> Finding | Created | Withdrawn | None:
    answered = value.get("id") if _is_id(value.get("id")) else None
    if "method" in value:
        if "id" in value:
            return _request(message, value)
        return _notice(message, value) or _withdrawn(value)
    if isinstance(value.get("result"), dict):
        return _result(message, answered, value["result"])
    if isinstance(value.get("error"), dict) and (urls := links(message, value["error"])):
        return Finding(Kind.INPUT, tuple(urls), answered)
    return None


def _request(message: bytes, value: dict[str, Any]) -> Finding:
    """The finding of a request; one that passes unjudged has no question, but may be answered, too."""
    params = value.get("params", {})
    server_question = question(message, value["method"], params)
    if questions_in(message, "params", params):
        raise ValueError("it is a request that holds others")
    request_id = value["id"]
    if not _is_id(request_id):
        raise ValueError("its id is neither a string nor an integer")
    return Finding(Kind.REQUEST, () if server_question is None else (server_question,), request_id)


def _withdrawn(value: dict[str, Any]) -> Withdrawn | None:
    """The request that a notification cancels, if it names one."""
    params = value.get("params")
    if value["method"] != "notifications/cancelled" or not isinstance(params, dict):
        return None
    named = params.get("requestId")
    return Withdrawn(named) if _is_id(named) else None


def _is_id(value: Any) -> TypeGuard[Id]:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _notice(message: bytes, value: dict[str, Any]) -> Finding | None:
    params = value.get("params")
    questions = questions_in(message, "params", params) if isinstance(params, dict) else []
    return Finding(Kind.NOTICE, tuple(questions)) if questions else None


def _result(
    message: bytes, answered: Id | None, result: dict[str, Any]
) -> Finding | Created | None:
    check_no(dict, result)
    listings = [listing for listing in LISTS if isinstance(result.get(listing.member), list)]
    questions = questions_in(message, "result", result)
    if len(listings) + (result.get("inputRequests") is not None or bool(questions)) > 1:
        raise ValueError("it answers more than one question")
    if questions:
        return Finding(Kind.INPUT, tuple(questions), answered)
    if listings:
        return _list(answered, listings[0], result[listings[0].member])
    task = result.get("task")
    named = task.get("taskId") if isinstance(task, dict) else result.get("taskId")
    return Created(named) if isinstance(named, str) else None


def _list(answered: Id | None, listing: Listing, entries: list[Any]) -> Finding:
    if len(entries) > MAX_LIST_ENTRIES:
        raise ValueError(f"more than {MAX_LIST_ENTRIES} entries of {listing.member}")
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
    folded = fold(listing.key)
    if any(key != listing.key and fold(key) == folded for key in entry):
        raise ValueError(f"an entry of {listing.member} has two keys like {listing.key}")
    return name


def _digest(tool: dict[str, Any]) -> str:
    """The digest of a tool's definition; refuses keys that clients may read, but the digest leaves out."""
    check_keys(tool, _DEFINITION)
    return definition.digest(tool)


def _is_at_most(number: bytes | Raw, most: int) -> bool:
    value = json.loads(bytes(number))
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


_ENTRIES = msgspec.json.Decoder(list[Raw])
_DEFINITION = keys(*definition.MEMBERS)

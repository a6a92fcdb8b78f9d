"""The requests that a server's message holds, as questions to be judged. Pure.

A request may stand alone, wait in a result that asks for input, in a task, in an error that asks to
open a URL, or in a notification about one of these. Its keys are read as strictly as a client's: a
message that two readers could read differently is not shown.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from pdp.api.bounds import MAX_TARGET
from pdp.api.model import Direction, Phase
from pep.mcp.json_splice import joined, members
from pep.mcp.jsonrpc import ENVELOPE
from pep.mcp.lookalikes import KnownKeys, keys
from pep.mcp.methods import LISTS, Target, Treatment, server_method

_MOST_ASKED = 64


class Question(Struct, frozen=True):
    """A request or list entry to be judged; `arguments` is a JSON object as it stands in the message.

    `definition` is the digest of a listed tool's definition.
    """

    method: str
    target: str = ""
    arguments: bytes = b"{}"
    phase: Phase = Phase.CALL
    direction: Direction = Direction.TO_CLIENT
    definition: str = ""


def question(holder: bytes | Raw, method: Any, params: Any) -> Question | None:
    """The question for a request of the server; `None` when its method needs no judgement."""
    if not isinstance(method, str) or not isinstance(params, dict):
        raise ValueError("a request has a method and parameters")  # noqa: TRY004 - see `inspect`
    check_keys(params, _PARAMS)
    row = server_method(method)
    if row.treatment is Treatment.PASS:
        return None
    target = params.get("taskId", "") if row.target is Target.TASK else ""
    arguments = bytes(members(holder).get("params", b"{}"))
    return Question(method, str(target)[:MAX_TARGET], arguments)


def questions_in(holder: bytes | Raw, name: str, value: dict[str, Any]) -> list[Question]:
    """The requests that wait in `value`, the member `name` of `holder`, and in its own members.

    A task holds the result or the error of its call, and is itself held by a notification, or as
    `task` by a result (MCP 2025-11-25, tasks; SEP-2663).
    """
    check_keys(value, _RESULT)
    waiting = value.get("inputRequests")
    inner = [member for member in _INNER if isinstance(value.get(member), dict)]
    if waiting is None and not inner:
        return []
    own = members(holder)[name]
    questions = [] if waiting is None else _waiting(own, waiting)
    for member in inner:
        if member == "error":
            questions += links(own, value["error"])
        else:
            check_no((dict, list), value[member])
            questions += questions_in(own, member, value[member])
    if len(questions) > _MOST_ASKED:
        raise ValueError(f"it asks for more than {_MOST_ASKED} things at once")
    return questions


def _waiting(holder: bytes | Raw, waiting: Any) -> list[Question]:
    """The requests in a result that asks for input (MCP 2026-07-28)."""
    if not isinstance(waiting, dict):
        raise ValueError("inputRequests is no object")  # noqa: TRY004 - see `inspect`
    raw = members(members(holder)["inputRequests"])
    questions = []
    for key, request in waiting.items():
        if not isinstance(request, dict):
            raise ValueError("an input request is no object")  # noqa: TRY004 - see `inspect`
        check_keys(request, ENVELOPE)
        questions.append(question(raw[key], request.get("method"), request.get("params", {})))
    return [each for each in questions if each is not None]


def links(holder: bytes | Raw, error: dict[str, Any]) -> list[Question]:
    """The URLs that a client is to open (MCP 2025-11-25, URLElicitationRequiredError)."""
    check_keys(error, _ERROR)
    data = error.get("data")
    if not isinstance(data, dict):
        return []
    check_keys(data, _ERROR_DATA)
    urls = data.get("elicitations")
    if urls is None:
        return []
    if not isinstance(urls, list) or len(urls) > _MOST_ASKED:
        raise ValueError(f"elicitations is no list of at most {_MOST_ASKED}")
    raw = members(members(members(holder)["error"])["data"])["elicitations"]
    questions = [
        question(joined({"params": entry}), "elicitation/create", link)
        for entry, link in zip(_ENTRIES.decode(raw), urls, strict=True)
    ]
    return [each for each in questions if each is not None]


def check_keys(value: dict[str, Any], known: KnownKeys) -> None:
    """Raises `ValueError` for a key that some reader takes for another key of the protocol."""
    key = known.lookalike(value)
    if key is not None:
        raise ValueError(f"the key {key[:64]!r} looks like another key of the protocol")


def check_no(kinds: type | tuple[type, ...], value: dict[str, Any]) -> None:
    """Raises `ValueError` for lists where the protocol has none, and objects that some take for lists."""
    for listing in LISTS:
        if value.get(listing.member) and isinstance(value[listing.member], kinds):
            raise ValueError(f"{listing.member} is no list that can be judged")


_ENTRIES = msgspec.json.Decoder(list[Raw])
_RESULT = keys(
    "resultType", "inputRequests", "cacheScope", "ttlMs", "task", "taskId", "result", "error",
    *(listing.member for listing in LISTS),
)  # fmt: skip
_ERROR = keys("code", "message", "data")
_ERROR_DATA = keys("elicitations")
# Parameters of a server's requests: sampling, elicitation, roots, its client's tasks.
_PARAMS = keys(
    "_meta", "task", "taskId", "message", "mode", "requestedSchema", "url", "elicitationId",
    "messages", "modelPreferences", "systemPrompt", "includeContext", "temperature", "maxTokens",
    "stopSequences", "metadata", "tools", "toolChoice",
)  # fmt: skip
_INNER = ("result", "task", "error")

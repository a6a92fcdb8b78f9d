"""The tables of every MCP method that a client or a server may send, and how it is treated. Pure.

A method that is not in the table for the era in use is refused: a new method of the protocol, or of
a vendor, passes only when the table says where its target and its arguments are.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from pdp.api.bounds import MAX_TARGET
from pdp.api.model import Reference
from pep.errors import InvalidParams, InvalidRequest, MethodNotFound
from pep.mcp.jsonrpc import Notification, Request
from pep.mcp.uri import is_template, is_uri

LEGACY = "legacy"
MODERN = "modern"


class Treatment(Enum):
    """The treatment of a method of the table."""

    JUDGE = "judge"
    PASS = "pass"  # noqa: S105 - a verb


class Target(Enum):
    """The parameter that names what the method is about."""

    NONE = "none"
    NAME = "name"
    URI = "uri"
    TASK = "taskId"
    REF = "ref"


class Method(Struct, frozen=True):
    """One row. `arguments` is the parameter that holds the arguments; empty when there is none.

    `mirrored` says whether a modern client must repeat the target in the header `Mcp-Name`.
    """

    name: str
    eras: frozenset[str]
    treatment: Treatment = Treatment.JUDGE
    target: Target = Target.NONE
    arguments: str = ""
    is_notification: bool = False
    mirrored: bool = False


_BOTH = frozenset({LEGACY, MODERN})
_LEGACY = frozenset({LEGACY})
_MODERN = frozenset({MODERN})
_PASS, _NAME, _URI, _TASK = Treatment.PASS, Target.NAME, Target.URI, Target.TASK

_ROWS = (
    # Calls of agents.
    Method("tools/call", _BOTH, target=_NAME, arguments="arguments", mirrored=True),
    Method("prompts/get", _BOTH, target=_NAME, arguments="arguments", mirrored=True),
    Method("resources/read", _BOTH, target=_URI, mirrored=True),
    Method("resources/subscribe", _LEGACY, target=_URI),
    Method("resources/unsubscribe", _LEGACY, target=_URI),
    Method("completion/complete", _BOTH, target=Target.REF, arguments="argument"),
    Method("tasks/get", _BOTH, target=_TASK),
    Method("tasks/result", _LEGACY, target=_TASK),
    Method("tasks/update", _MODERN, target=_TASK, arguments="inputResponses"),
    Method("tasks/cancel", _BOTH, target=_TASK),
    # Methods that the protocol itself needs: judged, and permitted unless a rule says otherwise.
    Method("initialize", _LEGACY),
    Method("server/discover", _MODERN),
    Method("tools/list", _BOTH),
    Method("prompts/list", _BOTH),
    Method("resources/list", _BOTH),
    Method("resources/templates/list", _BOTH),
    Method("tasks/list", _LEGACY),
    Method("logging/setLevel", _LEGACY),
    Method("subscriptions/listen", _MODERN, arguments="notifications"),
    # Methods that carry nothing to judge.
    Method("ping", _LEGACY, _PASS),
    Method("notifications/initialized", _LEGACY, _PASS, is_notification=True),
    Method("notifications/cancelled", _BOTH, _PASS, is_notification=True),
    Method("notifications/progress", _BOTH, _PASS, is_notification=True),
    Method("notifications/roots/list_changed", _LEGACY, _PASS, is_notification=True),
    Method("notifications/tasks/status", _LEGACY, _PASS, is_notification=True),
)
# Requests of servers to clients: in the legacy era messages, in the modern era parts of results.
_SERVER_ROWS = (
    Method("sampling/createMessage", _BOTH),
    Method("elicitation/create", _BOTH),
    Method("roots/list", _BOTH),
    Method("tasks/get", _LEGACY, target=_TASK),
    Method("tasks/result", _LEGACY, target=_TASK),
    Method("tasks/cancel", _LEGACY, target=_TASK),
    Method("tasks/list", _LEGACY),
    Method("ping", _LEGACY, _PASS),
)
METHODS: Mapping[str, Method] = MappingProxyType({row.name: row for row in _ROWS})
_SERVER_METHODS = {row.name: row for row in _SERVER_ROWS}


class Listing(Struct, frozen=True):
    """One kind of list: the member of the result that holds it, and the key that names an entry.

    An entry is shown unless `method` would be hidden with its name as the target.
    """

    member: str
    key: str
    method: str


# MCP, completion/complete: the types of a reference.
_REFERENCES = {"ref/prompt": Reference.PROMPT, "ref/resource": Reference.RESOURCE}

LISTS = (
    Listing("tools", "name", "tools/call"),
    Listing("prompts", "name", "prompts/get"),
    Listing("resources", "uri", "resources/read"),
    Listing("resourceTemplates", "uriTemplate", "resources/read"),
    Listing("tasks", "taskId", "tasks/get"),
)


def look_up(message: Request | Notification, era: str) -> Method:
    """The row of the message; raises `MethodNotFound` or `InvalidRequest`."""
    row = METHODS.get(message.method)
    if row is None or era not in row.eras:
        raise MethodNotFound("Method not found", message.method)
    if row.is_notification and isinstance(message, Request):
        raise InvalidRequest(f"{row.name} is a notification and takes no id")
    if not row.is_notification and isinstance(message, Notification):
        raise InvalidRequest(f"{row.name} is a request and needs an id")
    return row


def server_method(name: str) -> Method:
    """The row of a server's request; an unknown method is judged by its name."""
    return _SERVER_METHODS.get(name) or Method(name, _BOTH)


# Parameters that the judge, the rules or the forwarding read: each has one type in all methods.
_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = MappingProxyType(
    {
        # null is a nil map of Go, which servers take for none; other values have no members to judge.
        "arguments": ((dict, type(None)), "an object"),
        "notifications": (dict, "an object"),
        "inputResponses": (dict, "an object"),
        "requestState": (str, "a string"),
        "ref": (dict, "an object"),
        "argument": (dict, "an object"),
        "context": (dict, "an object"),
        "cursor": ((str, type(None)), "a string"),
        "level": (str, "a string"),
        "protocolVersion": (str, "a string"),
        "clientInfo": (dict, "an object"),
        "capabilities": (dict, "an object"),
        "task": (dict, "an object"),
    }
)


def check_types(params: dict[str, Any]) -> None:
    """Check the types of known parameters; raises `InvalidParams` for another than the protocol's.

    A rule that looks into such a parameter would find nothing to deny; and a schema for an object's
    members says nothing about other values, so it would let them pass.
    """
    for name, value in params.items():
        known = _TYPES.get(name)
        if known is not None and not isinstance(value, known[0]):
            raise InvalidParams(f"{name} must be {known[1]}")
    if "notifications" in params:
        _check_subscriptions(params["notifications"])


def _check_subscriptions(notifications: dict[str, Any]) -> None:
    """The resources that `subscriptions/listen` names, each of which is judged."""
    uris = notifications.get("resourceSubscriptions", [])
    if not isinstance(uris, list):
        raise InvalidParams("notifications.resourceSubscriptions must be a list of URIs")
    for uri in uris:
        if not isinstance(uri, str):
            raise InvalidParams("notifications.resourceSubscriptions must hold URIs only")
        _checked_uri(uri, "notifications.resourceSubscriptions")


def target_of(row: Method, params: dict[str, Any]) -> str:
    """The target that the message names, or ""; raises `InvalidParams`."""
    if row.target is Target.NONE:
        return ""
    if row.target is Target.REF:
        return _referenced(params.get("ref"))
    if row.target is Target.URI:
        return _checked_uri(params.get("uri"), "uri")
    return _text(params, row.target.value, row.target.value)


def reference_of(row: Method, params: dict[str, Any]) -> Reference:
    """The kind of a completion's reference; call this after `target_of`, which checks the reference."""
    return _REFERENCES[params["ref"]["type"]] if row.target is Target.REF else Reference.NONE


def _referenced(ref: Any) -> str:
    """The prompt or the resource template that a completion is for (MCP, completion/complete)."""
    kind = ref.get("type") if isinstance(ref, dict) else None
    if kind == "ref/prompt":
        return _text(ref, "name", "ref.name")
    if kind == "ref/resource":
        template = _text(ref, "uri", "ref.uri")
        if not is_template(template):
            raise InvalidParams("ref.uri must be a URI or a template of URIs (RFC 6570)")
        return template
    raise InvalidParams("ref must be a ref/prompt or a ref/resource")


def _checked_uri(value: Any, shown: str) -> str:
    """A URI that every server reads alike; raises `InvalidParams`."""
    uri = _checked(value, shown)
    if not is_uri(uri):
        raise InvalidParams(
            f"{shown} must be a URI: a scheme, and only characters of RFC 3986, "
            "all others percent-encoded"
        )
    return uri


def _text(holder: dict[str, Any], member: str, shown: str) -> str:
    return _checked(holder.get(member), shown)


def _checked(value: Any, shown: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidParams(f"{shown} must be a string that is not empty")
    if len(value) > MAX_TARGET:
        raise InvalidParams(f"{shown} is longer than {MAX_TARGET} characters")
    return value

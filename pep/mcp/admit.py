"""The ladder of checks before the decision, by which the proxy alone can refuse a message. Pure.

Rungs, first failure wins: one strict message; header and body agree on the era; the method is in
the table for that era; the mirrors repeat the body. Host, Origin, media type and size were checked
when the header lines and the bytes came in.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, structs

from pdp.api.bounds import MAX_TARGET
from pdp.api.model import Reference
from pdp.api.names import own_form
from pep.choices import ToolNames
from pep.errors import InvalidParams, InvalidRequest, MethodNotFound
from pep.mcp.headers import (
    HANDSHAKE_VERSIONS,
    VERSION_KEY,
    RequestHeaders,
    check_mirrors,
    era_of,
    header_era,
)
from pep.mcp.jsonrpc import Message, Notification, Request, Response, meta_of, raw_param
from pep.mcp.methods import (
    LEGACY,
    MODERN,
    Method,
    Target,
    Treatment,
    check_types,
    look_up,
    reference_of,
    target_of,
)

# MCP 2025-11-25, tools: tool names.
TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


_NAMED = frozenset({Target.NAME, Target.REF})


class Admitted(Struct, frozen=True):
    """A message that may be judged, or passed.

    `arguments` is JSON as it stands in the body, empty where there are none or they are null.
    """

    message: Message
    era: str
    row: Method | None = None
    target: str = ""
    arguments: bytes = b""
    reference: Reference = Reference.NONE

    @property
    def is_judged(self) -> bool:
        """Whether a decision is needed before it may go on."""
        return self.row is not None and self.row.treatment is Treatment.JUDGE


def admit(request_headers: RequestHeaders, message: Message) -> Admitted:
    """Climb the ladder; raises a `ClientFault`."""
    if isinstance(message, Response):
        return _admit_response(request_headers, message)
    is_request = isinstance(message, Request)
    era = era_of(request_headers, meta_of(message), is_request=is_request)
    row = look_up(message, era)
    check_types(message.params)
    target = target_of(row, message.params)
    check_mirrors(
        request_headers, row.name, target, required=era == MODERN and is_request, named=row.mirrored
    )
    return _admitted(message, era, row, target)


def lightened(admitted: Admitted) -> Admitted:
    """The admitted message after its judgement: without the arguments and whatever else is large."""
    message = admitted.message
    if not isinstance(message, Request):
        return admitted
    params = {name: value for name, value in message.params.items() if _is_light(value)}
    if isinstance(info := message.params.get("clientInfo"), dict):
        named = {name: info.get(name) for name in ("name", "version")}
        params["clientInfo"] = {name: text for name, text in named.items() if _is_light(text)}
    light = Request(b"", message.id, message.method, params)
    return structs.replace(admitted, message=light, arguments=b"")


def _is_light(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TARGET


def admit_line(message: Message) -> Admitted:
    """Admit a message over stdio, where nothing but the message tells its era; raises a `ClientFault`."""
    if isinstance(message, Response):
        return Admitted(message, LEGACY)
    era = _line_era(meta_of(message))
    row = look_up(message, era)
    check_types(message.params)
    return _admitted(message, era, row, target_of(row, message.params))


def _admitted(message: Request | Notification, era: str, row: Method, target: str) -> Admitted:
    reference = reference_of(row, message.params)
    return Admitted(message, era, row, target, _arguments(row, message), reference)


def _line_era(meta: dict[str, Any]) -> str:
    """The era of a message that has no header lines; raises `InvalidParams`."""
    version = meta.get(VERSION_KEY, "")
    if not isinstance(version, str) or version in HANDSHAKE_VERSIONS:
        raise InvalidParams(f"{VERSION_KEY} must name a version that has it")
    return MODERN if version else LEGACY


def _arguments(row: Method, message: Request | Notification) -> bytes:
    """The arguments as they stand in the body; `null`, which some clients write for none, is none."""
    if not row.arguments or message.params.get(row.arguments) is None:
        return b""
    return raw_param(message.body, row.arguments)


def check_name(admitted: Admitted, names: ToolNames) -> None:
    """Check the name of the target; raises `InvalidParams` for one that servers may take for another.

    A tool's name follows the specification's grammar unless `names` is `any`; a prompt's has no grammar.
    """
    row, name = admitted.row, admitted.target
    if row is None or row.target not in _NAMED:
        return
    if row.name == "tools/call" and names == "strict":
        if not TOOL_NAME.fullmatch(name):
            raise InvalidParams(
                "name must be 1 to 128 letters, digits, _, - and . "
                '(the gateway takes others with tool_names = "any")'
            )
    elif admitted.reference is not Reference.RESOURCE and own_form(name) != name:
        raise InvalidParams(
            "name must be text that can be seen, in Unicode's form NFC, without blanks at its ends"
        )


def _admit_response(request_headers: RequestHeaders, message: Response) -> Admitted:
    """Admit a client's answer, in the legacy era only (MCP 2026-07-28: no server requests)."""
    if header_era(request_headers) == MODERN:
        raise InvalidRequest("Body must be a single JSON-RPC request or notification object")
    if request_headers.method or request_headers.name is not None:
        raise InvalidRequest("a response has no mcp-method and no mcp-name")
    return Admitted(message, LEGACY)


def status_of(fault: Exception, status: int, era: str, *, has_id: bool) -> int:
    """The HTTP status of a refusal; 200 in the legacy era for an unknown method, as servers answer.

    A legacy client takes 404 for the end of its session. A message without an id is never answered
    with 200 (MCP 2025-11-25, transports: sending messages).
    """
    is_unknown = isinstance(fault, MethodNotFound | InvalidParams)
    if era == LEGACY and is_unknown:
        return 200 if has_id else 400
    return status

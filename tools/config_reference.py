"""`tipstaff.toml` as a reference page and as a JSON Schema for editors, made from the settings' structures."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec import inspect as types

from pdp.config import (
    ApprovalsConfig,
    Batching,
    ConfiguredPerson,
    Journal,
    Limits,
    Opa,
    PdpConfig,
    Policy,
    ServiceTls,
    Webhook,
)
from pep.config import SERVER_NAME, Jwt, PdpTls, PepConfig, Server, Tls
from tipstaff.cli.configuration.config_changes import LIVE_PDP, LIVE_PEP
from tipstaff.cli.configuration.toml_value import toml_value
from tipstaff.console.config import ConsoleConfig, OpenId

_STATE_DIR = "The folder of what must survive: records, limits, sockets, tokens. It is made if it is not there."
_PARTS: Mapping[str, type[Struct]] = {
    "opa": Opa,
    "policy": Policy,
    "limits": Limits,
    "approvals": ApprovalsConfig,
    "journal": Journal,
    "batching": Batching,
    "jwt": Jwt,
    "tls": Tls,
    "console": ConsoleConfig,
}
# Fields that stand in sections of their own, and what is no setting.
_NOT_HERE = {
    "PdpConfig": set(_PARTS) - {"tls"},
    "PepConfig": {"servers", "jwt", "tls"},
    "Server": {"name"},
}
_ORDER: tuple[tuple[str, type[Struct]], ...] = (
    ("pep", PepConfig),
    ("servers.NAME", Server),
    ("policy", Policy),
    ("limits", Limits),
    ("approvals", ApprovalsConfig),
    ("approvals.people", ConfiguredPerson),
    ("approvals.webhook", Webhook),
    ("console", ConsoleConfig),
    ("console.openid", OpenId),
    ("journal", Journal),
    ("jwt", Jwt),
    ("tls", Tls),
    ("pdp", PdpConfig),
    ("pdp.tls", ServiceTls),
    ("pep.pdp_tls", PdpTls),
    ("opa", Opa),
    ("batching", Batching),
)
_PAGE = """\
# tipstaff.toml

Every section and key, with its type and default. Relative paths begin at the file's folder; an unknown key, and a
value of another type, is refused with its line and the nearest that there is, all at once. `tipstaff check -v` prints all settings
with their values, and names secrets that stand in clear, variables that are not set, and programs and files that
are not there.

A secret stands in no configuration: `env:NAME` is read from the environment, `file:PATH` from a file. What takes effect without a restart is marked *live*: `kill -HUP` of
`tipstaff up` takes it over, see [operating](operating.md).

An editor that knows TOML (Even Better TOML, taplo) completes and checks the file with the JSON Schema that comes
with Tipstaff. `tipstaff init` and `register` name it in the first line of a file that they begin, and `init` prints
where it is; where Tipstaff has moved, or the file is older, write the line anew:

    #:schema PATH/tipstaff.schema.json

Generated from `pep/config.py`, `pdp/config.py` and `tipstaff/console/config.py` by `make docs`.

## Before every section

| key | type | default | |
|---|---|---|---|
| `state_dir` | text | `".tipstaff"` | {state_dir} |
{sections}"""


def page() -> str:
    """The reference page."""
    return _PAGE.format(
        state_dir=_STATE_DIR, sections="".join(map(_section, *zip(*_ORDER, strict=True)))
    )


def schema() -> str:
    """The JSON Schema (draft 7, which editors know)."""
    servers = _object(Server)
    servers["oneOf"] = [{"required": ["url"]}, {"required": ["command"]}]
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "tipstaff.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "state_dir": {
                "type": "string", "minLength": 1, "default": ".tipstaff", "description": _STATE_DIR,
            },
            "pep": _object(PepConfig),
            "servers": {
                "type": "object",
                "description": "The MCP servers to stand in front of: [servers.NAME].",
                "propertyNames": {"pattern": f"^{SERVER_NAME.pattern}$"},
                "additionalProperties": servers,
            },
            "pdp": _object(PdpConfig),
            **{name: _object(kind) for name, kind in _PARTS.items()},
        },
    }  # fmt: skip
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _section(title: str, kind: type[Struct]) -> str:
    """The part of the page about one section."""
    (docstring, *_) = (kind.__doc__ or "").split("\n\n")
    about = docstring.partition(": ")[2] or docstring
    about = "" if about.startswith("The section") else f"{about[0].upper()}{about[1:]}\n\n"
    lines = [f"\n## [{title}]\n\n{about}| key | type | default | |\n|---|---|---|---|\n"]
    meanings = meanings_of(kind)
    for field in _fields(kind):
        if isinstance(field.type, types.StructType):
            continue
        live = " *live*" if _is_live(title, field.name) else ""
        default = "needed" if field.required else f"`{toml_value(_default(field))}`"
        lines.append(
            f"| `{field.name}` | {_type(field.type)} | {default} | {meanings[field.name]}{live} |\n"
        )
    return "".join(lines)


def _is_live(title: str, name: str) -> bool:
    """Whether the key takes effect without a restart."""
    if title in {"servers.NAME", "jwt"}:
        return {"servers", "jwt"} <= LIVE_PEP
    return f"{title}.{name}" in {*LIVE_PDP, *(f"pep.{field}" for field in LIVE_PEP)}


def _fields(kind: type[Struct]) -> Iterator[Any]:
    info = types.type_info(kind)
    hidden = _NOT_HERE.get(kind.__name__, set())
    return (field for field in info.fields if field.name not in hidden)  # type: ignore[attr-defined]


def _default(field: Any) -> Any:
    if field.default is not NODEFAULT:
        return list(field.default) if isinstance(field.default, tuple) else field.default
    return field.default_factory()


def _type(kind: Any) -> str:
    """A type in words, in a cell of a table."""
    match kind:
        case types.StrType():
            return "text"
        case types.BoolType():
            return "true or false"
        case types.IntType() | types.FloatType():
            bounds = [
                f"{words} {bound}"
                for words, bound in (("from", kind.ge), ("above", kind.gt), ("to", kind.le))
                if bound is not None
            ]
            return " ".join(
                ["number" if isinstance(kind, types.FloatType) else "whole number", *bounds]
            )
        case types.LiteralType():
            return ", ".join(f'`"{value}"`' for value in kind.values)
        case types.VarTupleType(item_type=inner):
            is_section = isinstance(inner, types.StructType)
            return "list of sections" if is_section else f"list of: {_type(inner)}"
        case types.DictType(value_type=inner):
            is_text = isinstance(inner, types.StrType)
            return "table of texts" if is_text else f"table of: {_type(inner)}"
    raise TypeError(kind)


def _object(kind: type[Struct]) -> dict[str, Any]:
    meanings = meanings_of(kind)
    properties = {field.name: _property(field, meanings[field.name]) for field in _fields(kind)}
    (about, *_) = (kind.__doc__ or "").split("\n\n")
    return {
        "type": "object",
        "description": about,
        "additionalProperties": False,
        "properties": properties,
    }


def _property(field: Any, meaning: str) -> dict[str, Any]:
    if isinstance(field.type, types.StructType):
        return _object(field.type.cls)
    if field.required:
        return {**_schema(field.type), "description": meaning}
    return {**_schema(field.type), "default": _default(field), "description": meaning}


def _schema(kind: Any) -> dict[str, Any]:
    """The schema of a value."""
    match kind:
        case types.StrType() | types.BoolType():
            return {"type": "string" if isinstance(kind, types.StrType) else "boolean"}
        case types.IntType() | types.FloatType():
            bounds = {"minimum": kind.ge, "exclusiveMinimum": kind.gt, "maximum": kind.le}
            told = {name: bound for name, bound in bounds.items() if bound is not None}
            return {"type": "number" if isinstance(kind, types.FloatType) else "integer", **told}
        case types.LiteralType():
            return {"enum": list(kind.values)}
        case types.VarTupleType():
            return {"type": "array", "items": _schema(kind.item_type)}
        case types.StructType():
            required = [field.name for field in kind.fields if field.required]
            return {**_object(kind.cls), "required": required}
        case types.DictType():
            return {"type": "object", "additionalProperties": _schema(kind.value_type)}
    raise TypeError(kind)


def meanings_of(kind: type[Struct]) -> dict[str, str]:
    """Each field of a structure with the text that stands below it."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    meanings = {}
    for pair in pairwise(ast.iter_child_nodes(definition)):
        match pair:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(meaning))),
            ):
                meanings[name] = " ".join(meaning.split())
    return meanings

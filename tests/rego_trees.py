"""Syntax trees as `opa parse` gives them, written by hand; the real ones are in `tests/contract/test_lint.py`."""

from __future__ import annotations

from typing import Any


def at(line: int, **node: Any) -> dict[str, Any]:
    return {"location": {"row": line}, **node}


def text(value: str, line: int = 1) -> dict[str, Any]:
    return at(line, type="string", value=value)


def var(name: str, line: int = 1) -> dict[str, Any]:
    return at(line, type="var", value=name)


def ref(*steps: Any, line: int = 1) -> dict[str, Any]:
    first, *rest = steps
    parts = [var(first, line), *(text(one, line) if isinstance(one, str) else one for one in rest)]
    return at(line, type="ref", value=parts)


def call(operator: str, *operands: Any) -> dict[str, Any]:
    return {"terms": [ref(*operator.split(".")), *operands]}


def negated(*body: Any) -> dict[str, Any]:
    return {"terms": {"type": "not", "body": list(body)}}


def rule(name: str, *body: Any, **head: Any) -> dict[str, Any]:
    always = {"terms": {"type": "boolean", "value": True}}
    return {"head": {"ref": [var(name)], **head}, "body": list(body) or [always]}


def module(*rules: Any, package: str = "x") -> dict[str, Any]:
    path = [var("data"), text("site"), text(package)]
    return {"package": {"path": path}, "rules": list(rules)}

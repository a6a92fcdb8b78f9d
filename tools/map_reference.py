"""The map of the code: every room with its modules and what each is for, from the modules' own first lines."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("pep", "pdp", "tipstaff")
# What stands beside the packages, and is described by its own first lines as well.
BESIDE = {
    "rego/mcp": "The library bundle: the rules that come with Tipstaff, and how rules combine.",
    "tests": "What tests share: MCP servers, rigs, callers; `unit/` mirrors the packages, `e2e/` runs the real parts.",
    "tools": "What `make` runs to check the repository and to generate what is generated, this page too.",
}
_GENERATED = ROOT / "pdp" / "api" / "v1"

_PAGE = """\
# Map of the code

Three packages: `pep` is the proxy, `pdp` the decision service, `tipstaff` all that stands around them. Each
folder is a room, by what a thing is about ([ADR 11](adr/0011-rooms.md)). The first line of every module says what
it is for; the tables below are made of those lines by `tools/map_reference.py` (`make docs`), so they are as new as the code.

## Who may import whom

Held by import-linter (`make imports`; the contracts stand in `pyproject.toml`).

- `pep` imports of the decision service only `pdp.api`, and of `tipstaff` only `tipstaff.common`.
- `pdp` imports of `tipstaff` only `tipstaff.common`, and nothing of `pep`.
- `tipstaff.common` imports nobody. `tipstaff.cli`, `tipstaff.lint`, `tipstaff.schemas` and `tipstaff.survey` are imported by
  neither service.
- A module that its first line calls pure does no I/O, reads no clock and makes no random number.
- Inside `pdp` and `pep` there is an order of layers: wiring, edges, story, pure.

## One call over HTTP

| step | file |
|---|---|
| the connection: header lines bounded in size and time | `pep/front/connection.py` |
| which server it is for; every failure is answered | `pep/front/app.py` |
| the request's way, from here to its answer | `pep/front/exchange.py` |
| its header lines, strictly | `pep/mcp/headers.py` |
| who calls, in which session | `pep/callers/client_certificate.py`, `pep/callers/authentication.py`, `pep/callers/session.py` |
| its body, bounded in bytes and time | `pep/front/body_reader.py`, `pep/front/request_body.py` |
| JSON-RPC, strictly; what needs no decision | `pep/mcp/jsonrpc.py`, `pep/mcp/admit.py`, `pep/mcp/methods.py` |
| the call that is judged | `pep/judge/call.py` |
| the question, in one stream of batches | `pep/judge/decision_client.py` |
| who may ask; a repeated request gets its first answer | `pdp/grpc/admission.py`, `pdp/grpc/idempotency.py` |
| a deadline that has passed, and an allow that came too late | `pep/judge/decision_client.py` |
| calls that wait are judged together, also when their callers have gone | `pdp/grpc/batching.py` |
| the story of a batch | `pdp/decide.py` |
| the question to OPA, and its answer | `pdp/policy/question.py`, `pdp/policy/known_answers.py`, `pdp/policy/opa.py`, `pdp/answer.py` |
| what rules read of a call | `pdp/rules/input_reads.py`, `pdp/policy/input.py` |
| one process instead of two | `tipstaff/cli/run/gate.py`, `tipstaff/cli/run/inline.py` |
| several proxies on one port: which of them serves it, and how it gets there | `pep/workers/position.py`, `pep/workers/handover.py`, `pep/workers/peers.py`, `pep/workers/entrance.py` |
| which YAML rule applies | `rego/mcp/lib/rules/rules.rego` |
| how the rules combine | `rego/mcp/main/main.rego`, `rego/mcp/lib/findings/findings.rego` |
| arguments against schemas | `pdp/rules/checks.py` |
| a call that a rule holds: its approval, begun or found by its key | `pdp/holding.py`, `pdp/approvals/key.py`, `pdp/approvals/approvals.py` |
| limits: all of them or none | `pdp/limits/budgets.py`, `pdp/limits/store.py`, `pdp/limits/redis.py` |
| a grant is used, once | `pdp/holding.py`, `pdp/approvals/life.py` |
| one decision | `pdp/fold.py` |
| its record, on disk before the answer leaves | `pdp/records/record.py`, `pdp/records/journal.py` |
| while people are asked: the client is kept patient, and the call judged anew | `pep/judge/holding.py`, `pep/judge/hold.py`, `pep/front/held_answer.py` |
| what happens: forward or refuse | `pep/judge/enforce.py` |
| what becomes of it: refunded, or finished | `pep/judge/turn.py` |
| the judged bytes to the server | `pep/upstreams/dispatch.py`, `pep/upstreams/http.py`, `pep/upstreams/stdio_http.py` |
| the response, filtered on its way | `pep/front/relay.py`, `pep/judge/response_filter.py` |
| a message that is too large to be parsed: passed as it comes, as long as nothing in it had to be judged | `pep/front/relay.py`, `pep/mcp/message_bytes.py` |

## One tool that changes

| step | file |
|---|---|
| it was accepted: its definition's digest is its pin | `tipstaff/cli/servers/accept.py`, `pdp/tools/catalogue.py` |
| it is listed: the digest of what the server lists now | `pep/mcp/inspect.py`, `pdp/api/definition.py` |
| the digest against the pin | `pdp/policy/question.py` |
| a digest that is another is remembered | `pdp/tools/changed_tools.py`, `pdp/tools/changed_tools_file.py` |
| its calls are denied until somebody accepts it | `rego/mcp/rules/catalog/changed/changed.rego` |

## What rules may use

A site's Rego is read by `pdp/rules/site_rules.py` and checked by OPA in `pdp/policy/bundle.py`; which built-in functions it
may use stands in `rego/capabilities.json`, the words for people about the others in `pdp/rules/hints.py`.

## One call over stdio

`tipstaff wrap` stands in front of one server: `tipstaff/cli/run/wrap.py` starts it, `pep/front/pipes.py` reads the client's
lines, `pep/front/wrap.py` judges both directions with the same `pep/judge/turn.py` and `pep/judge/response_filter.py`.
A server with a `command` behind the proxy's URL is a child of the proxy: `pep/upstreams/places.py` decides who has a
process, `pep/upstreams/conversation.py` which of its lines is for which request.

## Where state lives

| state | where | bounded by |
|---|---|---|
| limits | `pdp/limits/store.py` (memory, SQLite), `pdp/limits/redis.py` | what limits say of their keys |
| approvals | `pdp/approvals/store.py` (memory, SQLite), `pdp/approvals/redis.py` | pending ones per caller and in all; number, time |
| answers by request id | `pdp/grpc/idempotency.py`, `pdp/grpc/recent.py` | number, bytes, time |
| records | `pdp/records/journal.py` | rotation |
| tools that changed | `pdp/tools/changed_tools.py`, its file | tools of the catalogue |
| legacy sessions and their callers | `pep/callers/session.py` | number |
| requests of servers that a client may answer | `pep/judge/server_requests.py` | per session, per caller, in all |
| who owns a task | `pep/judge/tasks.py` | number |
| what a child has said and nobody has read | `pep/upstreams/stream.py` | messages, bytes, bytes in all |
| processes of servers | `pep/upstreams/places.py` | `max_processes`, `idle_seconds` |
| requests and large bodies under way | `pep/load/room.py` | per caller, in all |

[Bounds](bounds.md) has the numbers.

## The rooms
"""


def page() -> str:
    """The whole page."""
    rooms = "".join(_room(folder) for folder in _rooms())
    return _PAGE + rooms + "\n## Beside the packages\n" + "".join(map(_beside, BESIDE))


def _rooms() -> Iterator[Path]:
    """Every folder with modules that people have written, the top of each package first."""
    for package in PACKAGES:
        folders = {path.parent for path in (ROOT / package).rglob("*.py")}
        yield from sorted(folder for folder in folders if folder != _GENERATED)


def _room(folder: Path) -> str:
    modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    rows = "".join(f"| `{path.stem}` | {first_line(path)} |\n" for path in modules)
    name = folder.relative_to(ROOT).as_posix()
    table = f"\n| module | what it is for |\n|---|---|\n{rows}" if rows else ""
    return f"\n### {name}/\n\n{first_line(folder / '__init__.py')}\n{table}"


def first_line(path: Path) -> str:
    """The first line of a module's docstring; raises `ValueError` where there is none."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{path} does not say what it is for")
    return text.splitlines()[0].replace("|", "\\|")


def _beside(name: str) -> str:
    """A folder that is no package: its Rego by title, its programs by first line."""
    folder = ROOT / name
    lines = {}
    for path in sorted(folder.rglob("*.rego") if name.startswith("rego") else folder.glob("*")):
        if path.suffix == ".rego" and not path.stem.endswith("_test"):
            lines[path] = _title(path)
        elif path.suffix == ".py" and not path.stem.startswith("test_"):
            lines[path] = first_line(path)
        elif path.is_file() and not path.suffix:
            lines[path] = _comment(path)
    rows = "".join(f"| `{path.relative_to(folder)}` | {line} |\n" for path, line in lines.items())
    return f"\n### {name}/\n\n{BESIDE[name]}\n\n| file | what it is for |\n|---|---|\n{rows}"


def _title(path: Path) -> str:
    """The title in the first METADATA of a Rego file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# title: "):
            return line.removeprefix("# title: ")
    raise ValueError(f"{path} has no title")


def _comment(path: Path) -> str:
    """The first sentence of the comment at the top of a shell script."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.removeprefix("# ") for line in lines[1:] if line.startswith("# "))
    if not comment:
        raise ValueError(f"{path} does not say what it is for")
    return comment.split(". ")[0].rstrip(".") + "."

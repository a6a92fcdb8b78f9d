"""Hints for authors: where a misplaced file belongs, why a function may not be used in rules. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

from tipstaff.common.did_you_mean import closest

_FOLDERS = ("servers", "catalog", "site")
_PLACES = (
    "rules are servers/<server>/data.yaml, catalog/<server>/data.json and site/<name>/<name>.rego"
)
_UNDEFINED = re.compile(r"undefined function ([\w.]+)")
# Functions that the capabilities of rules leave out, because their results differ from call to call.
_NOT_FOR_RULES = {
    "time.now_ns": "the time of the call is input.time",
    "http.send": "rules decide without the network: bring what they need into the policy folder as data",
    "net.lookup_ip_addr": "rules decide without the network",
    "opa.runtime": "rules do not see the machine they run on",
    "rand.intn": "the same call must get the same answer",
    "uuid.rfc4122": "the same call must get the same answer",
}


def of_place(relative: PurePath) -> str:
    """A hint at the right place of a misplaced file of the policy folder."""
    match relative.parts:
        case (str() as file,) if relative.suffix == ".rego":
            better = f"site/{PurePath(file).stem}/{file}"
        case ("servers", str()) if relative.suffix in {".yaml", ".yml", ".json"}:
            better = f"servers/{relative.stem}/data.yaml"
        case ("servers", server, _):
            better = f"servers/{server}/data.yaml"
        case (folder, *rest) if near := closest(folder, _FOLDERS):
            better = "/".join((near, *rest))
        case _:
            return _PLACES
    return f"did you mean {better}? {_PLACES}" if better != str(relative) else _PLACES


def of_opa(lines: Iterable[str]) -> str:
    """OPA's message on rules, with the reason where a function is unknown because rules may not use it."""
    return "\n".join(_explained(line.removeprefix("error: ")) for line in lines if line.strip())


def _explained(line: str) -> str:
    undefined = _UNDEFINED.search(line)
    why = _NOT_FOR_RULES.get(undefined.group(1)) if undefined else None
    return f"{line}: not for rules: {why}" if why else line

"""The normal form of URIs in Python, by which keys are checked, against that in Rego, which decides."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

from pdp.rules.uris import is_doubtful, normal
from tipstaff.cli.run.install import find_opa

REGO = Path(__file__).parents[2] / "rego" / "mcp"
QUERY = """{uri: [data.mcp.lib.uris.normal(uri), {x | x := 1; data.mcp.lib.uris.is_doubtful(uri)} == {1}] |
    some uri in input}"""
PIECES = (
    "file:", "FILE:", "https:", "Http:", "x:", "a+b:", "{s}:", "/", "//", "///", "localhost", "LocalHost", "Host",
    "{userId}", "[::1]", ":80", ":443", ":", "@", "user", ".", "..", "...", "%2e", "%2E", "%20", "%2f", "%5C", "%5c",
    "%25", "%252e", "%41", "%7e", "%2b", "+", "%3B", ";", "%3b", "%00", "%7F", "%c0", "%C3%BC", "%22", "?", "#", "a", "B",
    "etc", "passwd", "=", "&", "%", "%4", "\\\\", " ", "\\t",
)  # fmt: skip
FEWEST = 4_000


def uris() -> list[str]:
    """Texts put together of what is spelled in more ways than one; the same on every run."""
    chance = random.Random(7)
    made = {"".join(chance.choices(PIECES, k=chance.randint(1, 9))) for _ in range(FEWEST * 2)}
    begun = {chance.choice(PIECES[:6]) + uri for uri in made}
    return sorted(made | begun)


def test_both_forms_of_every_uri_are_the_same() -> None:
    """A key that Python takes for normal is one that Rego looks up, and one is doubtful to both."""
    opa = find_opa(None)
    assert opa is not None
    asked = uris()
    assert len(asked) > FEWEST
    answer = subprocess.run(
        [opa, "eval", "--format=raw", "--data", REGO, "--stdin-input", QUERY],
        input=json.dumps(asked), capture_output=True, text=True, check=True,
    )  # fmt: skip
    decided = json.loads(answer.stdout)
    assert len(decided) == len(asked)
    different = {
        uri: (told, [normal(uri), is_doubtful(uri)])
        for uri, told in decided.items()
        if told != [normal(uri), is_doubtful(uri)]
    }
    assert different == {}

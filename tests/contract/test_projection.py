"""Only what rules read is sent to the real OPA: its answers are those to the whole input, whatever the rules.

The same holds for known answers, which are looked up by what is sent: equal questions have equal answers.
"""

from __future__ import annotations

import json
import random
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import structs

from pdp.answer import Fault, PolicyAnswer
from pdp.api.model import Call, Direction, Phase, Principal, Reference
from pdp.policy.bundle import Bundle, PolicyText, build, library_folder, read_policy
from pdp.policy.input import policy_input, projected, query
from pdp.policy.known_answers import KnownAnswers
from pdp.policy.opa import OpaEngine
from pdp.policy.question import Answered, Question
from pdp.rules.input_reads import InputReads
from pdp.tools.catalogue import Catalogue, Catalogues
from pdp.tools.changed_tools import Sightings
from tests.calls import call
from tests.gateway import eventually
from tipstaff.cli.run.install import find_opa

OPA = find_opa(None) or Path("make dev gets it")
CALLS = 400
# Conditions that a site's rule may be made of. Each reads something; some fail where it is missing.
CONDITIONS = (
    "input.arguments.n > 1",
    'input.arguments["path"] == "/x"',
    'object.get(input.arguments, "path", "") == ""',
    "not input.arguments.path",
    'not startswith(input.arguments.path, "/x")',
    'some name, _ in input.arguments; startswith(name, "p")',
    "count(input.arguments) > 1",
    "input.arguments[input.target]",
    'object.get(input, ["arguments", "deep", "n"], 0) > 1',
    "walk(input.arguments, [_, 2])",
    'input.principal.id == "token:a"',
    '"admin" in input.principal.claims.roles',
    "not input.principal.claims.roles",
    "who := input.principal; who.claims.email",
    'input.tool.category in {"Write", "Execute"}',
    "input.tool.risk != input.tool.category",
    "not input.annotations.readOnlyHint",
    'input.session.kind == "none"',
    'input.protocol.era == "modern"',
    "input.is_retry",
    'input.phase == "list"',
    "every name, _ in input.arguments { name != input.target }",
    'helper == "x"',
    "all := input; all.arguments.n == 2",
)
SETS = ("deny", "hidden", "permit", "require_approval", "limit", "check", "obligation")
ELEMENTS = {
    "limit": '{"name": "l", "max": 3, "window": 60}',
    "check": '{"schema": {"required": ["path"]}}',
    "obligation": '{"type": "t"}',
}
CATALOGUE = {
    "tools": {
        "read": {"category": "Read", "risk": "low", "definition": {"annotations": {"readOnlyHint": True}}},
        "write": {"category": "Write", "risk": "high"},
        "gone": {},
        "no": {"category": "Execute"},
    }
}  # fmt: skip
RULES = {
    "default": "deny",
    "shadow": False,
    "tools": {
        "read": {"rate_limit": {"max": 5, "window": 60}},
        "write": {"action": "require_approval"},
        "gone": {"action": "hide"},
        "no": {"action": "deny"},
    },
    "categories": {"Write": {"rate_limit": {"max": 5, "window": 60}}},
    "resources": {"file:///a/*": {}, "file:///a/b": {"action": "deny"}},
    "limits": [{"name": "all", "max": 100, "window": 60}],
}


def site(random_: random.Random) -> str:
    rules = [
        "package site.rules",
        'helper := input.arguments.text if input.method == "tools/call"',
        # Without it `opa` would refuse a helper that no rule uses.
        'obligation contains {"type": "h"} if helper == "never"',
    ]
    for number in range(random_.randint(1, 5)):
        kind = random_.choice(SETS)
        element = ELEMENTS.get(kind, f'{{"code": "c{number}", "message": "m"}}')
        body = "; ".join(random_.sample(CONDITIONS, random_.randint(1, 2)))
        rules.append(f"{kind} contains {element} if {{ {body} }}")
    return "\n\n".join(rules) + "\n"


def some_call(random_: random.Random, number: int) -> Call:
    pick = random_.choice
    method, target = pick(
        [("tools/call", pick(["read", "write", "gone", "no", "other", "path"]))] * 3
        + [("resources/read", pick(["file:///a/x", "file:///a/b", "file:///a/../b", "x:y"]))]
        + [("subscriptions/listen", ""), ("tools/list", ""), ("initialize", ""), ("odd", "")]
        + [("completion/complete", pick(["read", "file:///a/b"]))]
    )
    values: dict[str, Any] = {
        "n": pick([0, 2, "2", None]), "path": pick(["/x", "/y", None, 2]), "text": pick(["x", ""]),
        "deep": {"n": pick([0, 2])}, "read": pick([True, False]), "other": 1,
        "resourceSubscriptions": pick([["file:///a/x"], ["file:///a/b"], [], "x"]),
    }  # fmt: skip
    arguments = {name: values[name] for name in values if random_.random() < 0.5}
    claims = pick([b"{}", b'{"roles":["admin"]}', b'{"roles":[],"email":"a@x"}', b'{"roles":1}'])
    return structs.replace(
        call(f"c{number}", server=pick(["bench", "bench", "shadowed", "none"]), target=target),
        method=method,
        arguments=json.dumps(arguments).encode(),
        principal=Principal(pick(["token:a", "jwt:b"]), pick(["token", "jwt"]), claims),
        phase=pick([Phase.CALL, Phase.CALL, Phase.LIST]),
        direction=pick([Direction.TO_SERVER] * 4 + [Direction.TO_CLIENT]),
        reference=pick(list(Reference)),
        is_retry=pick([False, True]),
    )


def folder_of(folder: Path, rules: str) -> Path:
    for name, shadow in (("bench", False), ("shadowed", True)):
        for place, content in (("servers", {**RULES, "shadow": shadow}), ("catalog", CATALOGUE)):
            kind = "data.yaml" if place == "servers" else "data.json"
            path = folder / place / name / kind
            path.parent.mkdir(parents=True)
            dump = yaml.safe_dump if place == "servers" else json.dumps
            path.write_text(dump(content))
    (folder / "site" / "rules").mkdir(parents=True)
    (folder / "site" / "rules" / "rules.rego").write_text(rules)
    return folder


async def built_by_opa(random_: random.Random, folder: Path) -> tuple[PolicyText, Bundle, Path]:
    """Random rules: as they are read, as they are built, and as a folder that `opa` reads without a key."""
    key, packed, unpacked = folder / "key", folder / "policy.tar.gz", folder / "unpacked"
    key.write_text("k" * 64)
    text = read_policy(folder_of(folder / "policy", site(random_)), library_folder())
    built = await build(text, opa=OPA, library=library_folder(), key_file=key)
    packed.write_bytes(built.data)
    with tarfile.open(packed) as archive:
        for member in filter(tarfile.TarInfo.isfile, archive):
            file = unpacked / member.name.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.extractfile(member).read())
    (unpacked / ".signatures.json").unlink()
    return text, built, unpacked


def decisions(bundle: Path, inputs: Sequence[bytes]) -> list[str]:
    """The decision on each, in a canonical form."""
    done = subprocess.run(
        [OPA, "eval", "-b", bundle, "--stdin-input", "--format=json",
         "data.mcp.main.decisions"],
        input=query(inputs)[len(b'{"input":') : -1], capture_output=True, check=True,
    )  # fmt: skip
    answers = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    return [json.dumps(answers.get(str(number)), sort_keys=True) for number in range(len(inputs))]


@pytest.mark.parametrize("seed", range(8))
async def test_answers_to_what_rules_read_are_the_answers_to_the_whole(
    seed: int, tmp_path: Path
) -> None:
    """Random rules of a site beside YAML rules, random calls, missing arguments among them."""
    random_ = random.Random(seed)
    text, built, unsigned = await built_by_opa(random_, tmp_path)
    tools = Catalogue(text.catalogue)
    calls = [some_call(random_, number) for number in range(CALLS)]
    whole = [policy_input(each, tools.tool(each.server, each.target), 1) for each in calls]
    part = [projected(each, tools.tool(each.server, each.target), 1, built.reads) for each in calls]
    expected, actual = decisions(unsigned, whole), decisions(unsigned, part)
    assert actual == expected
    assert len(set(expected)) > 5
    _equal_questions_have_equal_answers(part, expected, built.reads)


@pytest.mark.parametrize("seed", range(8))
async def test_known_answers_are_those_of_rules_that_are_asked_every_time(
    seed: int, tmp_path: Path
) -> None:
    """Call by call, in batches, over the real OPA: with a memory, and without."""
    random_ = random.Random(seed)
    text, built, unsigned = await built_by_opa(random_, tmp_path)
    socket = tmp_path / "o"
    process = subprocess.Popen(  # noqa: ASYNC220
        [OPA, "run", "--server", f"--addr=unix://{socket}", "-b", unsigned],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    engine = OpaEngine(socket, 5000, 2)
    try:
        await eventually(engine.ready, 20)
        catalogues = Catalogues()
        catalogues.add(built.revision, text.catalogue, built.reads)
        catalogues.put_in_force(built.revision)
        calls = [some_call(random_, number) for number in range(CALLS)]
        known, nothing = KnownAnswers(200), KnownAnswers(0)
        asked_of: list[list[Answered]] = []
        for memory in (nothing, known):
            question = Question(engine, Sightings(), catalogues, pytest.fail, memory)
            cases = [Answered(each) for each in calls]
            for start in range(0, CALLS, 4):
                await question.ask(cases[start : start + 4], 1)
            asked_of.append(cases)
    finally:
        await engine.close()
        process.kill()
        process.wait()
    for plain, remembered in zip(*asked_of, strict=True):
        if isinstance(plain.answer, Fault):
            assert isinstance(remembered.answer, Fault)
        else:
            assert remembered.answer == plain.answer
    if built.reads.members is not None and any(_is_silent(case) for case in asked_of[0]):
        assert any(case.is_known or case.yaml_answer for case in asked_of[1])


def _is_silent(case: Answered) -> bool:
    return isinstance(case.answer, PolicyAnswer) and case.answer.site_is_silent


def _equal_questions_have_equal_answers(
    questions: Sequence[bytes], answers: Sequence[str], reads: InputReads
) -> None:
    if reads.is_repeatable:
        known = dict(zip(questions, answers, strict=True))
        assert [known[asked] for asked in questions] == list(answers)

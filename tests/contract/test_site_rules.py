"""A site's Rego as the real OPA reads it: what would not be read is refused, what is read decides."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdp.api.v1 import decision_pb2_grpc, policy_pb2, policy_pb2_grpc, types_pb2
from pdp.errors import PolicyTextError
from pdp.policy.bundle import check, library_folder, read_policy
from pdp.rules.elements import SETS
from tests.gateway import Gateway, decisions, eventually, gateway, question
from tipstaff.cli.run.install import find_opa

LIBRARY = library_folder()
OPA = find_opa(None) or Path("make dev gets it")
NOBODY = "http://127.0.0.1:9/mcp"
DENIAL = 'deny contains {"code": "closed", "message": "Closed."}'


async def refusal(folder: Path, **files: str) -> list[str]:
    """The problems of a site with `files`, `__` for a slash; none when it may take effect."""
    for name, text in files.items():
        path = folder / "site" / f"{name.replace('__', '/')}.rego"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    try:
        await check(read_policy(folder, LIBRARY), opa=OPA, library=LIBRARY)
    except PolicyTextError as error:
        return str(error).splitlines()
    return []


SET_OF = "and only a set is read: write `deny contains {"
REFUSED = {
    "a misspelt set": (f"{DENIAL}\ndenny contains 1", "`denny` adds to nothing; did you mean `deny"),
    "a set in capitals": ('Deny contains {"code": "c"}', "`Deny` adds to nothing; did you mean `deny"),
    "a set in the plural": ('permits contains {"code": "c"}', "did you mean `permit contains"),
    "another policy's allow": ('allow if input.target == "x"', "did you mean `permit contains {"),
    "a default of allow": ("default allow := false", "did you mean `permit contains {"),
    "another policy's violation": ('violation contains "x"', "did you mean `deny contains {"),
    "another's approvals": ("needs_approval if input.server", "`require_approval contains {"),
    "a helper that nobody uses": (f"{DENIAL}\nis_admin if input.server", "`is_admin` adds to nothing"),
    "a function that nobody uses": (f"{DENIAL}\nf(x) := x", "`f` adds to nothing; no deny, hidden"),
    "a chain that nobody uses": ("a if b\nb if input.server", "`b` adds to nothing"),
    "a helper that is hidden by a variable": (
        f"{DENIAL} if {{ x := 1; x == 1 }}\nx := 2", "`x` adds to nothing",
    ),
    "an entrypoint of its own": ("# METADATA\n# entrypoint: true\nmain := 1", "`main` adds to nothing"),
    "an object of which a part is used": (
        f"{DENIAL} if q.a\nq.a := 1\nq.b := 2", "`q.b` adds to nothing",
    ),
    "a condition for a set": ('deny if input.target == "x"', f"`deny` is a value here, {SET_OF}"),
    "a hold by condition": ("require_approval if input.server", "write `require_approval contains"),
    "a value for a set": ("deny := true", f"`deny` is a value here, {SET_OF}"),
    "an object for a set": ('deny := {"code": "c", "message": "m"}', "`deny` is a value here"),
    "an array for a set": ('permit := [{"code": "c", "message": "m"}]', "`permit` is a value here"),
    "a set all at once": ('deny := {{"code": "c", "message": "m"}}', "`deny` is a value here"),
    "a value otherwise": ("deny if false else := 1", "`deny` is a value here"),
    "a default of a set": ("default deny := false", "`deny` is a set and has no default"),
    "a function": ("deny(x) := x", "`deny` is a function here"),
    "keys of an object": ('deny[x] if x := "c"', "`deny` is an object here"),
    "an object by key": ('deny["c"] := "m"', "`deny` is an object here"),
    "a set in an object": ('limit.x contains {"max": 1}', "`limit` is an object here"),
    "a denial of mere text": ('deny contains "closed"', "is an object, not a string: write"),
    "a denial of text that is put together": ('deny contains $"no {input.target}"', "not a string"),
    "several at once": ('deny contains [{"code": "c", "message": "m"}]', "not an array"),
    "no message": ('deny contains {"code": "c"}', "an element of `deny` needs `message`"),
    "no code": ('permit contains {"message": "m"}', "an element of `permit` needs `code`"),
    "a misspelt key": (
        'hidden contains {"code": "c", "mesage": "m"}',
        "there is no key `mesage` in an element of `hidden`; did you mean `message`?",
    ),
    "a code that is no text": ('deny contains {"code": 1, "message": "m"}', "`code` in an element"),
    "a shadow that is no truth": (
        'deny contains {"code": "c", "message": "m", "shadow": "yes"}', "`shadow` in an element",
    ),
    "a limit without a window": ('limit contains {"max": 1}', "of `limit` needs `window`"),
    "a limit of nothing": ('limit contains {"max": 0, "window": 1}', "`max` in an element of `limit`"),
    "a limit with a misspelt key": (
        'limit contains {"max": 1, "windw": 1}',
        "there is no key `windw` in an element of `limit`; did you mean `window`?",
    ),
    "a limit of a scope that is none": (
        'limit contains {"max": 1, "window": 1, "scope": "user"}', "`scope` in an element of `limit`",
    ),
    "a limit beyond its algorithm": (
        'limit contains {"max": 20000, "window": 1}', "only gcra has a burst, or a max above",
    ),
    "a check of nothing": ('check contains {"code": "c"}', "needs either `schema` or `schema_ref`"),
    "a check that checks nothing": (
        'check contains {"schema": {"requird": ["a"]}}', "did you mean `required`?",
    ),
    "a check by what is none": ('check contains {"schema_ref": "mine"}', "`schema_ref` in an element"),
    "an obligation without a type": ('obligation contains {"typ": "x"}', "`obligation` needs `type`"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_rego_that_nobody_would_read_is_refused(tmp_path: Path, case: str) -> None:
    """With its file and line, and what was probably meant."""
    text, hint = REFUSED[case]
    problems = await refusal(tmp_path, mine__mine=f"package site.mine\n\n{text}\n")
    assert problems
    assert any(hint in problem for problem in problems), problems
    assert all(re.match(r"site/mine/mine\.rego:[3-9]: ", problem) for problem in problems), problems


PACKAGES = {
    "below its own": ("mine__mine", "package site.mine.more", "write `package site.mine`"),
    "the root": ("mine__mine", "package site", "write `package site.mine`"),
    "another folder's": ("mine__mine", "package site.yours", "write `package site.mine`"),
    "the library's": ("mine__mine", "package mcp.main", "write `package site.mine`"),
    "a name in quotes": ("my-own__x", "package site.my_own", 'write `package site["my-own"]`'),
    "no folder": ("mine", "package site.mine", "move it to site/NAME/NAME.rego"),
}


@pytest.mark.parametrize("case", PACKAGES)
async def test_a_file_adds_to_the_package_of_its_folder_and_to_no_other(
    tmp_path: Path, case: str
) -> None:
    """What stands in another package is not looked up; what stands in the library would rewrite it."""
    name, package, hint = PACKAGES[case]
    (problem,) = await refusal(tmp_path, **{name: f"{package}\n\n{DENIAL}\n"})
    assert hint in problem
    assert f"site/{name.replace('__', '/')}.rego:1: " in problem


ACCEPTED = {
    "each set": f"""{DENIAL}
hidden contains {{"code": "c", "message": "m", "rule": "site.mine.hide"}} if false
require_approval contains {{"code": "c", "message": input.target, "shadow": true}}
permit contains {{"code": sprintf("c%d", [1]), "message": "m"}}
limit contains {{"code": "c", "message": "m", "max": 1, "window": 60}}
limit contains {{"max": input.arguments.max, "window": 60, "name": "n", "cost": 2}}
check contains {{"schema": {{"required": ["a"]}}, "message": "m"}}
check contains {{"schema_ref": "declared"}}
obligation contains {{"type": "redact", "fields": ["a"]}}
""",
    "computed elements": """
deny contains element if some element in _elements
_elements := [object.union(_common, {"message": "m"})]
_common := {"code": "c"}
permit contains made(1)
made(x) := {"code": $"c{x}", "message": "m"}
limit contains {"max": 1, _key: 2}
_key := "window"
""",
    "helpers of every kind": f"""{DENIAL} if {{
	not_now
	f(1) == 2
	every x in [1] {{ positive(x) }}
	{{y | some y in listed}} == {{1}}
	{{y: 1 | some y in listed}} == {{1: 1}}
	[y | some y in arrayed] == [1]
	input.server == replaced with input.server as replacement
	object.get(nested, "a", 1) == 1
	nested.b
	keyed[input.target].part
	mocked(1) with mocked as mock
	$"{{shown}}" == "1"
	fallback
}}
not_now if {{ false }} else if otherwise
otherwise := true
default f(_) := 2
f(x) := y if {{ y := g(x) }}
g(x) := x if x > 5
positive(x) if x > 0
listed contains 1
arrayed := [1]
replaced := input.server
replacement := "x"
nested := {{"a": 1, "b": 2}}
keyed[key].part := 1 if some key in keys
keys := ["a"]
mocked(x) if x == 2
mock(x) if x == 1
shown := 1
default fallback := false
fallback if input.server
""",
    "the name of a set for something else": f"{DENIAL} if {{ some limit in [1]; limit == 1 }}",
}


@pytest.mark.parametrize("case", ACCEPTED)
async def test_rego_that_is_read_is_accepted(tmp_path: Path, case: str) -> None:
    """Helpers too, by whatever way a set comes to depend on them."""
    assert not await refusal(tmp_path, mine__mine=f"package site.mine\n\n{ACCEPTED[case]}\n")


async def test_what_another_package_uses_is_read(tmp_path: Path) -> None:
    """By import, by name, by a variable; several files make one package, also in folders of its own."""
    user = f"""package site.user

import data.site.people as everybody
import data.site.places.far

{DENIAL} if {{ everybody.staff; far }}

{DENIAL} if data.site.times[input.server].late
"""
    assert not await refusal(
        tmp_path,
        user__user=user,
        people__people="package site.people\n\nstaff if other\n",
        people__more__more="package site.people\n\nother if input.server\n",
        places__places="package site.places\n\nfar if input.server\n",
        times__times="package site.times\n\nday.late := true\n",
    )


async def test_a_package_that_is_not_looked_up_uses_nothing(tmp_path: Path) -> None:
    """Only the sets count, not every rule that uses another."""
    problems = await refusal(
        tmp_path,
        mine__mine=f"package site.mine\n\n{DENIAL}\n",
        yours__yours="package site.yours\n\nreport if data.site.theirs.staff\n",
        theirs__theirs="package site.theirs\n\nstaff if input.server\n",
    )
    assert [problem.partition(" adds")[0] for problem in problems] == [
        "site/theirs/theirs.rego:3: `staff`",
        "site/yours/yours.rego:3: `report`",
    ]


async def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """A line each, in the order of the files."""
    problems = await refusal(
        tmp_path,
        b__b="package site.b\n\ndeny if input.server\n\nallow if input.server\n\ndeny := false\n",
        a__a='package site.a\n\npermit contains "x"\n\nhelper := 1\n',
        c__c="package site.c\n",
    )
    assert [problem.partition(": ")[0] for problem in problems] == [
        "site/a/a.rego:3", "site/a/a.rego:5",
        "site/b/b.rego:3", "site/b/b.rego:5", "site/b/b.rego:7",
        "site/c/c.rego:1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "package"), [("mine__mine_test", "mine"), ("load_test__load_test", "load_test")]
)
async def test_a_denial_in_a_file_of_tests_is_refused(
    tmp_path: Path, name: str, package: str
) -> None:
    """It would hold in the tests and nowhere else."""
    text = f"package site.{package}\n\n{DENIAL}\n\ntest_it if {{\n\tcount(deny) == 1\n}}\n"
    (problem,) = await refusal(tmp_path, **{name: text})
    assert f"site/{name.replace('__', '/')}.rego:3: `deny` decides nothing" in problem


async def test_tests_may_hold_what_they_like(tmp_path: Path) -> None:
    """In the package itself or beside it; one that is half written does not hold up the rules."""
    assert not await refusal(
        tmp_path,
        mine__mine=f"package site.mine\n\n{DENIAL}\n",
        mine__mine_test="package site.mine_test\n\ndeny := 1\n\ntest_it if deny == 1\n",
        mine__more_test="package site.mine\n\nlimits_of := 1\n\ntest_it if limits_of == 1\n",
        mine__half_test="package site.mine\n\ndeny contains {\n",
    )


@pytest.mark.parametrize("place", ["site", "site/hours", "site/hours/hours.rego"])
async def test_a_link_that_would_not_be_followed_is_refused(tmp_path: Path, place: str) -> None:
    """The denials below it would be missing, and nobody would know."""
    elsewhere, policy = tmp_path / "elsewhere", tmp_path / "policy"
    elsewhere.mkdir()
    (policy / place).parent.mkdir(parents=True)
    (policy / place).symlink_to(elsewhere)
    with pytest.raises(PolicyTextError, match=r"links to folders are not followed|is no file"):
        read_policy(policy, LIBRARY)


async def test_rules_that_are_nested_without_end_are_a_problem_and_no_crash(tmp_path: Path) -> None:
    """Whoever watches the folder goes on watching it."""
    text = 'package site.mine\n\ndeny contains {"code": ' + "[" * 520 + "]" * 520 + "}\n"
    (problem,) = await refusal(tmp_path, mine__mine=text)
    assert "nested too deeply" in problem


def test_the_sets_are_those_that_the_library_reads() -> None:
    """No more and no fewer."""
    text = (LIBRARY / "mcp" / "lib" / "findings" / "findings.rego").read_text()
    assert set(re.findall(r"data\.site\[\w+\]\.(\w+)", text)) == set(SETS)


WRONG: dict[str, list[Any]] = {
    "deny": ["text", {"code": "c"}, {"code": 1, "message": "m"}, 3, ["x"]],
    "hidden": ["text", {"message": "m"}, {"code": "c", "message": ["m"]}],
    "require_approval": ["text", {"code": "c"}, {"message": "m"}],
    "permit": ["text", {"code": "c"}, {"message": "m"}, {"code": "c", "message": 1}],
    "limit": ["text", {}, {"max": 1}, {"max": "1", "window": 1}, {"max": 1, "window": 1, "x": 1}],
    "check": ["text", {}, {"schema": {}, "schema_ref": "declared"}, {"schema": {"type": 5}}],
    "obligation": ["text", {}, {"type": 5}],
}


async def test_an_element_that_turns_out_wrong_denies(tmp_path: Path) -> None:
    """What cannot be seen in the text is a fault when it is computed, for each set; others pass."""
    path = tmp_path / "policy" / "site" / "odd" / "odd.rego"
    path.parent.mkdir(parents=True)
    rules = [f"{name} contains input.arguments.{name}" for name in WRONG]
    path.write_text("package site.odd\n\n" + "\n\n".join(rules) + "\n")
    async with (
        gateway(tmp_path, {"s": NOBODY}, {"s": {"tools": {"read": {}}}}) as tipstaff,
        decisions(tipstaff.address) as service,
    ):

        async def ask(number: str, arguments: Any) -> Any:
            # A permit that is wrong must not be one; a tool with rules has another.
            target = "unruled" if "permit" in arguments else "read"
            asked = question("s", target, number, arguments_json=json.dumps(arguments).encode())
            return (await service.Decide(asked, timeout=5)).decision

        assert (await ask("fine", {})).effect == types_pb2.EFFECT_ALLOW
        permit = {"code": "c", "message": "m"}
        assert (await ask("permitted", {"permit": permit})).effect == types_pb2.EFFECT_ALLOW
        for name, elements in WRONG.items():
            for index, element in enumerate(elements):
                decision = await ask(f"{name}{index}", {name: element})
                unknown = [one.type for one in decision.obligations]
                assert decision.effect == types_pb2.EFFECT_DENY or unknown == [""], (name, element)


ELEMENTS = {
    **dict.fromkeys(SETS, '{"code": "c", "message": "%s"}'),
    "limit": '{"max": 1, "window": 1, "rule": "%s"}',
    "check": '{"schema": {}, "rule": "%s"}',
    "obligation": '{"type": "t", "to": "%s"}',
}


async def test_rules_that_would_not_be_read_do_not_take_the_place_of_those_that_are(
    tmp_path: Path,
) -> None:
    """Neither at the start nor while it runs: the old ones go on deciding, and the status says why."""
    gate = Gateway(tmp_path, {"s": NOBODY})
    gate.rules("s", {"tools": {"read": {}}})
    path = tmp_path / "policy" / "site" / "mine" / "mine.rego"
    path.parent.mkdir(parents=True)
    path.write_text("package site.mine\n\ndeny if input.server\n")
    with pytest.raises(AssertionError, match=r"mine\.rego:3: `deny` is a value here"):
        await gate.start()
    path.write_text(f"package site.mine\n\n{DENIAL}\n")
    await gate.start()
    try:
        async with grpc.aio.insecure_channel(gate.address) as channel:
            policy = policy_pb2_grpc.PolicyServiceStub(channel)
            service = decision_pb2_grpc.DecisionServiceStub(channel)

            async def error() -> str:
                status = await policy.GetStatus(policy_pb2.GetStatusRequest(), timeout=5)
                return str(status.last_error)

            async def is_refused() -> bool:
                return "did you mean `deny contains" in await error()

            path.write_text(f"package site.mine\n\n{DENIAL.replace('deny', 'denny')}\n")
            await eventually(is_refused)
            decision = (await service.Decide(question("s", "read", "1"), timeout=5)).decision
            assert decision.reason.code == "closed"
    finally:
        await gate.stop()


class Site:
    """A site made of rules that each are known to be read, or not."""

    def __init__(self, rules: list[tuple[str, list[int]]]) -> None:
        """Each rule is a set or a helper, and the numbers of the helpers it uses."""
        self.rules = rules

    def text(self) -> str:
        return "package site.made\n\n" + "\n\n".join(
            self._head(number) + self._body(uses) for number, (_, uses) in enumerate(self.rules)
        )

    def _head(self, number: int) -> str:
        kind = self.rules[number][0]
        if kind == "helper":
            return f"helper{number}"
        return f"{kind} contains {ELEMENTS[kind] % f'mark{number}'}"

    @staticmethod
    def _body(uses: list[int]) -> str:
        used = "".join(f"\n\thelper{number}" for number in uses)
        return f' if {{\n\tinput.server == "s"{used}\n}}'

    def unused(self) -> set[int]:
        """The helpers that no set uses, by whatever way."""
        used: set[int] = set()
        waiting = [number for number, (kind, _) in enumerate(self.rules) if kind in SETS]
        while waiting:
            for number in self.rules[waiting.pop()][1]:
                if number not in used:
                    used.add(number)
                    waiting.append(number)
        return {
            number for number, (kind, _) in enumerate(self.rules)
            if kind == "helper" and number not in used
        }  # fmt: skip


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Rules in a random order of kinds; a helper uses only helpers before it, so none uses itself."""
    kinds = draw(st.lists(st.sampled_from(["helper", "helper", *SETS]), min_size=1, max_size=8))
    rules: list[tuple[str, list[int]]] = []
    for number, kind in enumerate(kinds):
        helpers = [before for before in range(number) if kinds[before] == "helper"]
        uses = draw(st.lists(st.sampled_from(helpers), max_size=2, unique=True)) if helpers else []
        rules.append((kind, uses))
    return Site(rules)


FINDINGS = ("denials", "holds", "permits", "budgets", "checks", "obligations")


def influences(site: Site, folder: Path) -> set[int]:
    """The rules that OPA's findings depend on: a set's is seen in them, a helper changes them."""
    helpers = [number for number, (kind, _) in enumerate(site.rules) if kind == "helper"]
    whole = f"{{{', '.join(f'data.mcp.lib.findings.{name}' for name in FINDINGS)}}}"
    parts = [f"whole := {whole}"]
    parts += [f"r{n} := {whole} with data.site.made.helper{n} as false" for n in helpers]
    done = subprocess.run(
        [OPA, "eval", "--format=json", "--strict-builtin-errors", "--stdin-input",
         "-d", LIBRARY / "mcp", "-d", folder / "site", "; ".join(parts)],
        input=json.dumps({"server": "s", "phase": "call"}), capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)["result"][0]["bindings"]
    seen = set(map(int, re.findall(r'"mark(\d+)"', json.dumps(found["whole"]))))
    return seen | {number for number in helpers if found[f"r{number}"] != found["whole"]}


@settings(
    max_examples=25, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(site=sites())
def test_a_site_is_accepted_exactly_if_each_of_its_rules_may_influence_a_decision(
    site: Site,
) -> None:
    """What the check says is held against what OPA then finds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        problems = asyncio.run(refusal(folder, made__made=site.text()))
        assert len(problems) == len(site.unused()), (site.text(), problems)
        assert all("adds to nothing" in problem for problem in problems)
        assert influences(site, folder) == set(range(len(site.rules))) - site.unused()

"""Looks through the files of a site for warnings. Edge: files, OPA."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pdp.config import ConfiguredPerson
from pdp.errors import SidecarError
from pdp.policy.bundle import PolicyText
from pep.config import PepConfig
from tipstaff.lint import approvals, claims, rego, server_rules
from tipstaff.lint.caution import Caution
from tipstaff.lint.site_facts import SiteFacts
from tipstaff.lint.syntax import Node

_PARSE = ("parse", "--format=json", "--json-include=locations,-comments")
_SECONDS = 60
_PARSERS = 4
_WITH_CLAIMS = "jwt"


def cautions(
    text: PolicyText,
    folder: Path,
    pep: PepConfig,
    opa: Path,
    people: Sequence[ConfiguredPerson] = (),
) -> list[Caution]:
    """Warnings about the rules in `folder`, which have passed `pdp.policy.bundle.check` as `text`.

    `people` are those who may answer for held calls.
    """
    of_yaml = [
        caution
        for name in text.servers
        for source in (_rules_file(folder, name),)
        for written, known in ((source.read_text(encoding="utf-8"), text.catalogue.get(name)),)
        for caution in (
            *server_rules.cautions(written, str(source), known),
            *approvals.of_yaml(written, str(source), known, people),
        )
    ]
    return [*of_yaml, *_of_rego(text, folder, facts_of(text, pep), opa, people)]


def _of_rego(
    text: PolicyText,
    folder: Path,
    facts: SiteFacts,
    opa: Path,
    people: Sequence[ConfiguredPerson],
) -> list[Caution]:
    site = {name: content for name, content in text.files.items() if name.startswith("site/")}
    try:
        modules = {str(folder / name): module for name, module in _parsed(site, opa)}
        return sorted(
            [
                *rego.cautions(modules, facts),
                *claims.cautions(modules, facts),
                *approvals.of_rego(modules, people),
            ]
        )
    except RecursionError:
        sentence = "rules in Rego are nested too deeply to be looked through for warnings"
        return [Caution(str(folder / "site"), 1, sentence)]


def facts_of(text: PolicyText, pep: PepConfig) -> SiteFacts:
    """The facts of the site that rules in Rego may refer to."""
    rules = {name: json.loads(text.files[f"servers/{name}/data.json"]) for name in text.servers}
    accepted = {server.name: pep.accepted(server) for server in pep.servers}
    without_claims: dict[str, tuple[str, ...]] = {
        name: tuple(proof for proof in proofs if proof != _WITH_CLAIMS)
        for name, proofs in accepted.items()
    }
    return SiteFacts(
        servers=frozenset({*rules, *accepted, *text.catalogue}),
        catalogue=text.catalogue,
        others=frozenset(_others(rules.values())),
        without_claims={name: words for name, words in without_claims.items() if words},
    )


def _others(rules: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for written in rules:
        yield from written.get("resources", {})
        yield from written.get("prompts", {})


def _rules_file(folder: Path, server: str) -> Path:
    yaml = folder / "servers" / server / "data.yaml"
    return yaml if yaml.is_file() else yaml.with_name("data.json")


def _parsed(files: Mapping[str, bytes], opa: Path) -> list[tuple[str, Node]]:
    """Each file as OPA reads it; raises `SidecarError` when OPA does not."""

    def parse(name: str) -> tuple[str, Node]:
        command = [str(opa), *_PARSE, "/dev/stdin"]
        done = subprocess.run(  # noqa: S603 - our own opa
            command, input=files[name], capture_output=True, check=True, timeout=_SECONDS
        )
        return name, json.loads(done.stdout)

    try:
        with ThreadPoolExecutor(_PARSERS) as pool:
            return list(pool.map(parse, sorted(files)))
    except (OSError, subprocess.SubprocessError) as error:
        raise SidecarError(f"`opa parse` of the site's rules failed: {error}") from error

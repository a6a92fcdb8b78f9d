"""Writes the reference pages that are generated from code. `--check` only says whether they are new."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import config_reference
import life_reference
import map_reference
import rules_reference
from config_reference import meanings_of
from msgspec import Struct

from pdp.api.reasons import REASONS
from pdp.records.approval_record import ApprovalRecord
from pdp.records.record import Record
from tipstaff import schemas

DOCS = Path(__file__).parent.parent / "docs"
_REASON_CODES = """\
# Reason codes

Every decision carries a reason: a code to match on, and a sentence to read. A code never changes its
meaning. Rules in a site's Rego add codes of their own.

Generated from `pdp/api/reasons.py` by `make docs`.

| code | meaning |
|---|---|
"""
_RECORDS = """\
# Records

One line of JSON for each decision and for each change of an approval, in `decisions.jsonl` in the state folder unless `[journal] path` says
otherwise, on disk before the answer leaves. Of a list, the entries that were kept from the caller have a line
each. A field that has nothing to say is left out; fields may be added. What is told of a call stands under
the name that it has in the policy's `input`.

Generated from `pdp/records/record.py` and `pdp/records/approval_record.py` by `make docs`.

## Decisions

| field | what it says |
|---|---|
{decisions}
## Approvals

A line for each change: a call is held, a person answers, the call goes to the server, a time is over. It is on disk
before anybody is told of the change; a grant that is not on record does not count, whatever has failed. A service that
ends while it records an answer may leave it on record twice. That another equal call joins is on record as a decision
with `approval`. [Approvals](approvals.md) tells what the states mean.

| field | what it says |
|---|---|
{approvals}
## Secrets

A member whose name is that of a secret is masked whole; text that has the form of a credential is
masked where it stands; a document of more than 16 KiB is left out. `masked` and `omitted` point to what is
gone, so that a mask is told apart from a caller's own `[masked]`, and what was left out from what was
not there.

Of a caller's claims only those are kept that a rule of the revision reads, by a name that stands in the
rule: `input.principal.claims.roles`. A rule that takes the claims as a whole, or looks one up by a name
that it works out, makes records hold them all.

## Asking again

A record holds all that the policy was asked, to the nanosecond: `pdp.records.replay` makes the very bytes of the
`input` of it again, and the same revision gives the same answer to them. What limits and schemas said comes
after the policy, and is told by the reason's code.

`input_digest` is the SHA-256 of these bytes, and is there exactly when the record holds all of them: whoever
asks again can see that the question is the one that was judged. Where something was masked or left out there
is no digest: over four digits that were masked it would tell them to anybody with a minute to try.
"""


def pages() -> dict[Path, str]:
    """Each page with its text."""
    rows = "".join(f"| `{code}` | {meaning} |\n" for code, meaning in REASONS.items())
    decisions, approvals = (
        "".join(f"| `{name}` | {meaning} |\n" for name, meaning in _fields(kind))
        for kind in (Record, ApprovalRecord)
    )
    return {
        DOCS / "reason-codes.md": _REASON_CODES + rows,
        life_reference.PAGE: life_reference.page(),
        DOCS / "records.md": _RECORDS.format(decisions=decisions, approvals=approvals),
        DOCS / "policy-yaml.md": rules_reference.policy_yaml_page(),
        DOCS / "input.md": rules_reference.input_page(),
        schemas.DATA_YAML: rules_reference.schema(),
        DOCS / "tipstaff-toml.md": config_reference.page(),
        DOCS / "map.md": map_reference.page(),
        schemas.TIPSTAFF_TOML: config_reference.schema(),
    }


def _fields(kind: type[Struct]) -> Iterator[tuple[str, str]]:
    """Each field of a structure with the text that stands below it; `KeyError` where there is none."""
    meanings = meanings_of(kind)
    config = kind.__struct_config__
    yield str(config.tag_field), f"`{config.tag}`."
    for name in kind.__struct_fields__:
        yield name, meanings[name]


def main(*, check: bool) -> int:
    """Write the pages, or say which are old; returns the exit code."""
    old = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in old:
        if check:
            print(f"{path.name} is older than the code: run `make docs`")
        else:
            path.write_text(pages()[path], encoding="utf-8")
            print(f"wrote {path.name}")
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))

"""What the starter rules say of a tool: one table from what it is found to be. Pure.

A preset is a column of the table. It knows no text, no server and no schema, and `strict` is nowhere
looser than `recommended`. `observe` says what `recommended` says; that nothing of it is enforced is
for the file to say.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from tipstaff.survey.model import Category, Classification, Mark, Risk

Action = Literal["allow", "deny", "hide", "require_approval"]


class Preset(StrEnum):
    """How much the starter rules leave to agents."""

    RECOMMENDED = "recommended"
    STRICT = "strict"
    OBSERVE = "observe"


class Budget(Struct, frozen=True):
    """At most `max` calls in any `window` seconds, per `scope`."""

    max: int
    window: int = 60
    scope: Literal["session", "principal"] = "session"


class Ruling(Struct, frozen=True):
    """What a rule says. `declared`: the arguments must meet the schema that the tool declares."""

    action: Action = "allow"
    reason: str = ""
    budget: Budget | None = None
    declared: bool = False


class Standing(StrEnum):
    """What matters of a tool for its rule, from the least dangerous to the most."""

    READ = "returns what is of no secrecy"
    INNER_READ = "returns what is not for everybody: files, what a URL leads to"
    PERSONAL_READ = "returns personal data"
    CONFIDENTIAL_READ = "returns secrets"
    WRITE = "changes what can be changed back"
    GRAVE_WRITE = "changes what others feel or pay for"
    CRITICAL_WRITE = "changes what nobody should by himself"
    EXECUTE = "starts something bounded"
    GRAVE_EXECUTE = "starts something that goes beyond the call"
    CRITICAL_EXECUTE = "runs code of the caller's choice"
    DESTRUCTIVE = "deletes or discards"
    FINANCIAL = "moves or books money"


def ruling(preset: Preset, classification: Classification) -> Ruling:
    """What the preset says of a tool that is found to be so."""
    recommended, strict = _TABLE[standing(classification)]
    return strict if preset is Preset.STRICT else recommended


def standing(classification: Classification) -> Standing:
    """The row of the table."""
    grade = _GRADES[classification.risk]
    if classification.category is not Category.READ:
        return _DEEDS[classification.category][grade]
    if grade or Mark.SECRETS_OUT in classification.marks:
        return Standing.CONFIDENTIAL_READ
    if Mark.PERSONAL in classification.marks:
        return Standing.PERSONAL_READ
    return Standing.READ if classification.risk is Risk.LOW else Standing.INNER_READ


_GRADES = {Risk.LOW: 0, Risk.MEDIUM: 0, Risk.HIGH: 1, Risk.CRITICAL: 2}
# By the grade of the risk.
_DEEDS = {
    Category.WRITE: (Standing.WRITE, Standing.GRAVE_WRITE, Standing.CRITICAL_WRITE),
    Category.EXECUTE: (Standing.EXECUTE, Standing.GRAVE_EXECUTE, Standing.CRITICAL_EXECUTE),
    Category.DESTRUCTIVE: (Standing.DESTRUCTIVE,) * 3,
    Category.FINANCIAL: (Standing.FINANCIAL,) * 3,
}


def _allow(calls: int, *, declared: bool = True) -> Ruling:
    return Ruling(budget=Budget(calls), declared=declared)


def _ask(because: str, calls: int = 5) -> Ruling:
    """A person decides; counted by caller, because sessions can be invented to flood the person."""
    reason = f"{because}; a person must approve the call first."
    return Ruling("require_approval", reason, Budget(calls, scope="principal"), declared=True)


def _deny(reason: str) -> Ruling:
    return Ruling("deny", reason)


# What all calls to a server together may come to, by caller.
EVERYTHING = {
    Preset.RECOMMENDED: Budget(600, scope="principal"),
    Preset.STRICT: Budget(120, scope="principal"),
    Preset.OBSERVE: Budget(600, scope="principal"),
}

HIDDEN = Ruling(
    "hide", "Its definition has warning signs; a person must look at it before a model reads it."
)
"""What every preset says of a tool whose definition may have been written to steer the model."""

_CODE = "This runs code of the caller's choice"
_EFFECT = "This sets off something beyond the call itself"
_CRITICAL = "A mistake in this change would be critical"
_GONE = "What this deletes may not come back"
_MONEY = "This moves money or enters it in the books"

# Standing: what `recommended` says, what `strict` says.
_TABLE: dict[Standing, tuple[Ruling, Ruling]] = {
    Standing.READ: (Ruling(), Ruling()),
    Standing.INNER_READ: (Ruling(), _allow(20, declared=False)),
    Standing.PERSONAL_READ: (_allow(60, declared=False), _allow(20, declared=False)),
    Standing.CONFIDENTIAL_READ: (_allow(10, declared=False), _allow(5, declared=False)),
    Standing.WRITE: (_allow(30), _allow(10)),
    Standing.GRAVE_WRITE: (_allow(10), _allow(5)),
    Standing.CRITICAL_WRITE: (_ask(_CRITICAL), _ask(_CRITICAL, 3)),
    Standing.EXECUTE: (_allow(20), _ask(_EFFECT, 3)),
    Standing.GRAVE_EXECUTE: (_allow(10), _ask(_EFFECT, 3)),
    Standing.CRITICAL_EXECUTE: (_ask(_CODE), _ask(_CODE, 3)),
    Standing.DESTRUCTIVE: (_ask(_GONE), _deny("Agents delete nothing on this server.")),
    Standing.FINANCIAL: (_ask(_MONEY), _deny("Agents move and book no money on this server.")),
}

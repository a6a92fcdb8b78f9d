"""The nouns of a survey, frozen: what a tool is found to be, and what says so."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from msgspec import Struct

Definition: TypeAlias = Mapping[str, Any]
"""A tool as its server lists it (MCP 2026-07-28, `Tool`), every member kept."""


class Category(StrEnum):
    """What a call does at the worst, from the least dangerous to the most."""

    READ = "Read"
    WRITE = "Write"
    EXECUTE = "Execute"
    DESTRUCTIVE = "Destructive"
    FINANCIAL = "Financial"


class Risk(StrEnum):
    """How bad a wrong call would be, apart from what kind of call it is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


CATEGORIES = tuple(category.value for category in Category)
RISKS = tuple(risk.value for risk in Risk)
FAIL_ON = (*RISKS, "signs")
"""What a scan can be told to fail on: a risk and all above it, or any sign of poisoning."""


class Mark(StrEnum):
    """What else is known of a tool, beside its category."""

    OPEN_WORLD = "open_world"
    """It reaches systems beyond its server."""
    SECRETS_IN = "secrets_in"
    """Its arguments hold a secret."""
    SECRETS_OUT = "secrets_out"
    """Its answer holds a secret."""
    PERSONAL = "personal"
    """Its answer holds personal or private financial data."""
    FILES = "files"
    """It reads or writes files that an argument names."""
    FREE_CODE = "free_code"
    """An argument is code, a command or a query."""
    FREE_URL = "free_url"
    """An argument is a URL that it fetches or sends to."""
    SENDS_OUT = "sends_out"
    """It sends data or messages to others."""
    BULK = "bulk"
    """One call touches many things."""
    IDEMPOTENT = "idempotent"
    """To call it twice does what one call does."""
    GRANTS_ACCESS = "grants_access"
    """It changes who may do what."""
    BILLABLE = "billable"
    """It provisions what is paid for."""


class Evidence(Struct, frozen=True):
    """One thing that spoke for a finding: the words, where they stood, and what they say."""

    field: str
    """`name`, `title`, `description`, `schema`, `annotations` or `siblings`."""
    words: str
    """As they stand there."""
    says: str
    """A category, a risk or a mark, and what the words mean by it."""


class Classification(Struct, frozen=True):
    """What a tool is found to be. `confidence` is 0 to 1: how likely the category is right."""

    category: Category
    risk: Risk
    confidence: float
    marks: tuple[Mark, ...]
    evidence: tuple[Evidence, ...]
    rationale: str
    """One or two sentences, made from the evidence."""


class Sign(Struct, frozen=True):
    """Something in a definition that tries to speak to the model, or to pass for something else.

    A text has one sign at most: the gravest that was found in it.
    """

    kind: str
    """Stable snake_case, for example `hidden_characters`."""
    place: str
    """Where: a path such as `description` or `inputSchema.properties.path.description`, and a place in it."""
    excerpt: str
    """The text around it, hidden characters made visible."""
    message: str
    """What it is and why it matters, in a sentence."""
    also: tuple[str, ...] = ()
    """The other kinds that were found in the same text, the gravest first."""

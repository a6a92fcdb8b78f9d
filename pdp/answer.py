"""Reads OPA's answer to a batch query and trusts nothing in it. Pure.

Theory: a query carries N calls and must come back with exactly N answers of the decision shape.
Whatever else comes back (no `result`, a warning, an error, a wrong type, an unknown effect) is a
`Fault`, and a fault is always a denial with a code of its own. One call with a conflict, an unreadable
answer or a slow rule fails OPA's whole query, so when a batch fails, its calls are queried one by one.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from pdp.api import strict_json
from pdp.api.model import Appearance, Effect, Obligation, Reason, ShadowFinding
from pdp.api.strict_json import StrictJsonError
from pdp.approvals.terms import Hold, Terms

MAX_LIMIT = 10_000
MAX_RATE = 1_000_000
MAX_WINDOW = 366 * 24 * 3600
MAX_COST = 1_000_000
# A rule names its limit after its server and its target, which may be a long URI.
MAX_LIMIT_NAME = 9_000
# The largest `max` of each algorithm.
LARGEST = MappingProxyType({"sliding_log": MAX_LIMIT, "gcra": MAX_RATE, "concurrency": MAX_LIMIT})

Scope = Literal["session", "principal", "tool", "server", "global"]


class Limit(Struct, frozen=True, forbid_unknown_fields=True):
    """A budget the call consumes: at most `max` units in any `window` seconds per `scope`.

    `burst` is for the algorithm gcra: so many units may be taken at once, 0 means `max`. With the
    algorithm concurrency, `max` units are held by calls under way, each for `window` seconds at most.
    """

    name: Annotated[str, Meta(min_length=1, max_length=MAX_LIMIT_NAME)]
    scope: Scope
    max: Annotated[int, Meta(ge=1, le=MAX_RATE)]
    window: Annotated[int, Meta(ge=1, le=MAX_WINDOW)]
    rule: str = ""
    algorithm: Literal["sliding_log", "gcra", "concurrency"] = "sliding_log"
    cost: Annotated[int, Meta(ge=1, le=MAX_COST)] = 1
    burst: Annotated[int, Meta(ge=0, le=MAX_RATE)] = 0
    shadow: bool = False
    on_store_error: Literal["deny", "local", "allow"] = "deny"

    def __post_init__(self) -> None:
        """Refuse what the algorithm cannot do."""
        if self.algorithm != "gcra" and (self.max > LARGEST[self.algorithm] or self.burst):
            raise ValueError(f"only gcra has a burst, or a max above {MAX_LIMIT}")
        if self.burst > self.max:
            raise ValueError("burst exceeds max")


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON Schema the arguments must meet: inline, or `declared` by the tool itself.

    A `shadow` check is recorded when it fails, and refuses nothing.
    """

    rule: str
    schema: Raw = field(default_factory=Raw)
    schema_ref: Literal["", "declared"] = ""
    shadow: bool = False

    def __post_init__(self) -> None:
        """Refuse a check with both schemas, of which only one would be enforced, or with none."""
        if bool(self.schema) == bool(self.schema_ref):
            raise ValueError("needs either `schema` or `schema_ref`")


class PolicyAnswer(Struct, frozen=True):
    """The policy's answer for one call, before limits and approvals. `holds` are the rules that hold it.

    With `site_is_silent` the rules of the site had no part in it.
    """

    effect: Effect
    reason: Reason
    rule: str
    hidden: bool = False
    limits: tuple[Limit, ...] = ()
    checks: tuple[Check, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    shadow: tuple[ShadowFinding, ...] = ()
    appearance: Appearance | None = None
    holds: tuple[Hold, ...] = ()
    site_is_silent: bool = False


class Silence(Struct, frozen=True):
    """The answer is the one that was known, since the rules of the site have no part in it."""


class Fault(Struct, frozen=True):
    """Why the policy gave no usable answer. Always a denial with this `code`."""

    code: str
    detail: str


class BatchAnswer(Struct, frozen=True):
    """One answer or fault per call, in order, and the revision that gave them.

    `one_by_one` means that each call must be queried again alone, since an error of one failed them all.
    """

    answers: tuple[PolicyAnswer | Silence | Fault, ...]
    revision: str = ""
    one_by_one: bool = False


class _Reason(Struct, forbid_unknown_fields=True):
    code: str
    message: str


class _Shadow(Struct, forbid_unknown_fields=True):
    effect: Effect
    code: str
    message: str
    rule: str


class _Appearance(Struct, forbid_unknown_fields=True):
    effect: Literal["deny", "hold"]
    reason: _Reason
    rule: str


class _Hold(Struct, forbid_unknown_fields=True):
    rule: str
    code: str
    message: str
    approval: Terms = Terms()


class _Answer(Struct, forbid_unknown_fields=True):
    effect: Effect
    reason: _Reason
    rule: str
    hidden: bool
    limits: list[Limit]
    checks: list[Check]
    obligations: list[dict[str, Raw]]
    shadow: list[_Shadow]
    appearance: _Appearance | None = None
    holds: list[_Hold] = []
    site_is_silent: bool = False


class _Bundle(Struct):
    revision: str = ""


class _Provenance(Struct):
    bundles: dict[str, _Bundle] = {}


class _Envelope(Struct):
    result: dict[str, Raw] | None = None
    warning: Raw = field(default_factory=Raw)
    provenance: _Provenance | None = None


# The exceptions of decoding bytes that are not an answer.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, StrictJsonError)

_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_SILENCE = b'{"site_is_silent":true}'
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_text = msgspec.json.Decoder(str).decode


def read(status: int, body: bytes, count: int) -> BatchAnswer:
    """Read OPA's HTTP answer to a query of `count` calls."""
    if status != 200:
        return _refused(status, body, count)
    try:
        envelope = _decode_envelope(body)
    except UNREADABLE as error:
        return _one_by_one_or(Fault("policy_invalid_result", f"unreadable answer: {error}"), count)
    if envelope.warning:
        return _all(Fault("policy_error", f"OPA warns: {bytes(envelope.warning)[:200]!r}"), count)
    if envelope.result is None:
        return _all(Fault("policy_undefined", "OPA has no policy that answers"), count)
    answers = tuple(_answer(envelope.result.get(str(index))) for index in range(count))
    return BatchAnswer(answers, _revision(envelope.provenance))


def unavailable(detail: str, count: int) -> BatchAnswer:
    """The answer when no query could be sent to OPA."""
    return _all(Fault("policy_unavailable", detail), count)


def late(count: int) -> BatchAnswer:
    """The answer when OPA did not answer in time: one call may have held up the others."""
    return _one_by_one_or(Fault("policy_unavailable", "OPA did not answer in time"), count)


def _refused(status: int, body: bytes, count: int) -> BatchAnswer:
    detail = f"OPA answered {status}: {body[:500].decode(errors='replace')}"
    if status in (400, 500):
        return _one_by_one_or(Fault("policy_error", detail), count)
    return _all(Fault("policy_unavailable", detail), count)


def _one_by_one_or(fault: Fault, count: int) -> BatchAnswer:
    """The fault of a single call, or the request to ask several one by one, since one of them may have failed all."""
    return _all(fault, 1) if count == 1 else BatchAnswer((), one_by_one=True)


def _all(fault: Fault, count: int) -> BatchAnswer:
    return BatchAnswer((fault,) * count)


def _revision(provenance: _Provenance | None) -> str:
    """The revisions of all bundles that took part; with one bundle, just its revision."""
    if provenance is None:
        return ""
    return ",".join(bundle.revision for _, bundle in sorted(provenance.bundles.items()))


def _answer(raw: Raw | None) -> PolicyAnswer | Silence | Fault:
    if raw is None:
        return Fault("policy_undefined", "the policy gave no answer for this call")
    if len(raw) == len(_SILENCE) and bytes(raw) == _SILENCE:
        return Silence()
    try:
        answer = _decode_answer(raw)
        obligations = tuple(_obligation(obligation) for obligation in answer.obligations)
        holds = _holds(answer)
    except UNREADABLE as error:
        return Fault("policy_invalid_result", str(error))
    return PolicyAnswer(
        effect=answer.effect,
        reason=Reason(answer.reason.code, answer.reason.message),
        rule=answer.rule,
        hidden=answer.hidden,
        limits=tuple(answer.limits),
        checks=tuple(answer.checks),
        obligations=obligations,
        shadow=tuple(
            ShadowFinding(finding.effect, Reason(finding.code, finding.message), finding.rule)
            for finding in answer.shadow
        ),
        appearance=_appearance(answer.appearance),
        holds=holds,
        site_is_silent=answer.site_is_silent,
    )


def _holds(answer: _Answer) -> tuple[Hold, ...]:
    """The rules that hold the call, of which a held call has at least one."""
    if answer.effect is Effect.HOLD and not answer.holds:
        raise msgspec.DecodeError("the call is held, and by no rule")
    return tuple(
        Hold(hold.rule, Reason(hold.code, hold.message), hold.approval) for hold in answer.holds
    )


def _appearance(given: _Appearance | None) -> Appearance | None:
    if given is None:
        return None
    reason = Reason(given.reason.code, given.reason.message)
    return Appearance(Effect(given.effect), reason, given.rule)


def _obligation(members: dict[str, Raw]) -> Obligation:
    """Read an obligation; one without a type gets an empty type, which no enforcement point knows and meets."""
    kind = _decode_text(members["type"]) if "type" in members else ""
    rest = {key: value for key, value in members.items() if key != "type"}
    properties = msgspec.json.encode(rest)
    strict_json.loads(properties)
    return Obligation(kind, properties)

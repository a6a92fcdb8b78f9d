"""What to do about an answer that the decision service did not take, by the reason in its ErrorInfo. Pure."""

from __future__ import annotations

from types import MappingProxyType

_ADVICE = MappingProxyType(
    {
        "APPROVAL_STALE": "show it again with `tipstaff approvals show {id}`, and answer what you see then",
        "APPROVAL_ENDED": "there is nothing left to answer; when the agent makes the call again, "
        "you are asked again; a grant that has not been used is taken back with `tipstaff approvals revoke {id}`",
        "APPROVAL_UNKNOWN": "`tipstaff approvals list` shows those there are",
        "APPROVER_MISSING": "name yourself with --as NAME",
        "APPROVER_NOT_ALLOWED": "who may answer, and for which groups, stands under [[approvals.people]] "
        "in tipstaff.toml, and whom a rule asks under its `approvers`; you answered as {by}",
        "APPROVAL_OF_OWN_CALL": "the caller acts for {by}; ask somebody else, or let the rule say "
        "`not_self: false` if confirming one's own calls is meant",
        "NOTE_MISSING": "say why, with --note TEXT",
        "NOTE_TOO_LONG": "shorten it",
        "STANDING_NOT_ALLOWED": "leave out --for to grant this one call; a rule allows more with "
        "`standing: {{max: SECONDS}}` in its terms",
    }
)


def sentence(reason: str, message: str, *, approval_id: str, by: str) -> str:
    """What went wrong and what to do, "" for a reason that is none of an answer.

    `message` is the service's own, `by` the name the person answered under.
    """
    advice = _ADVICE.get(reason)
    return f"{message}: {advice.format(id=approval_id, by=by)}" if advice else ""


REASONS = frozenset(_ADVICE)
"""The reasons that are known here."""

"""The table of reason codes that Tipstaff itself gives, each with what it means for the caller.

Rules in a site's Rego add codes of their own. `docs/reason-codes.md` is generated from this table.
"""

from __future__ import annotations

from types import MappingProxyType

REASONS = MappingProxyType(
    {
        "allowed": "A rule permits the call and nothing forbids it.",
        "denied_by_rule": "A rule written for this server denies the call.",
        "hidden": "The target is hidden: the caller sees it as if it did not exist.",
        "approved": "People approved the call, which the rules hold.",
        "approval_required": "A person must approve the call first.",
        "approval_refused": "A person was asked to approve the call and refused.",
        "approval_expired": "Nobody answered in time, or the call was not made in time.",
        "approval_withdrawn": "The question was taken back, or the grant was.",
        "approval_overload": "Too many calls wait for a person already.",
        "approval_unavailable": "The store of approvals did not answer, so nobody can be asked.",
        "approval_too_large": "The arguments are too large to be shown to a person whole.",
        "no_permit": "No rule permits the call, and what is not permitted is denied.",
        "unknown_server": "No rules are loaded for this server.",
        "tool_changed": "The tool's definition differs from the one that was accepted.",
        "uri_ambiguous": "The resource's URI leads elsewhere than it says, so no rule can tell what it names.",
        "arguments_invalid": "The arguments do not meet the schema that the rule demands.",
        "rate_limited": "A limit has no budget left for the call now.",
        "rate_limit_unavailable": "The store of the limits did not answer, so none can be granted.",
        "journal_unavailable": "The decision could not be recorded, so it was not given.",
        "policy_unavailable": "The policy engine did not answer.",
        "policy_undefined": "The policy engine has no answer: no policy is active.",
        "policy_error": "The policy failed while it was evaluated.",
        "policy_invalid_result": "The policy gave an answer that is not a decision.",
        "internal_error": "Judging the call failed in a way that nobody foresaw, so it was refused.",
        "credential_missing": "The server wants to know who calls, and the request does not say.",
        "credential_invalid": "What the request shows to prove who calls proves nothing.",
        "session_not_found": "The session is not one that was given to this caller.",
        "pdp_unavailable": "The decision service did not answer.",
        "unknown_obligation": "The allow carries an obligation this enforcement point cannot meet.",
    }
)

PASSING_FAULTS = frozenset(
    {
        "policy_unavailable",
        "policy_undefined",
        "policy_stale",
        "rate_limit_unavailable",
        "journal_unavailable",
        "approval_unavailable",
    }
)
"""Faults behind a decision, not rules: the same call may pass once they are mended."""
FAULTS_OF_ONE_CALL = frozenset({"policy_error", "policy_invalid_result", "internal_error"})
"""Faults of one call: its neighbours, in a list too, have been judged."""

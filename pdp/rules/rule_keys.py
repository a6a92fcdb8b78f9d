"""The keys and values of `servers/<server>/data.yaml`, each with its meaning. Pure data.

`pdp.rules.server_rules` refuses all others; the reference page and the schema for editors are made from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "allow": "The call may be made, within its limits and with arguments that meet its schema.",
        "deny": "The call is refused with the `reason`; the target stays in lists.",
        "hide": "The target is in no list, and a call of it is answered as if there were no such target.",
        "require_approval": "A person must approve the call first. It waits, and goes on once it is granted, if "
        "the rules still hold it on the same terms.",
    }
)
CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "Read": "returns data, and leaves nothing behind",
        "Write": "changes what can be changed back",
        "Execute": "runs code, or sets off what goes beyond the call",
        "Destructive": "deletes, or discards for good",
        "Financial": "moves money, or enters it in the books",
    }
)
SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "session": "Each agent session by itself (the default); all sessions of a caller together may take "
        "`[limits] principal_factor` times as much.",
        "principal": "Each caller, in all its sessions.",
        "tool": "Each tool, whoever calls.",
        "server": "The server, whoever calls whatever.",
        "global": "Everything that is counted under this limit's name, on all servers.",
    }
)
ALGORITHMS: Mapping[str, str] = MappingProxyType(
    {
        "sliding_log": "Never more than `max` units in any window of that length (the default).",
        "gcra": "`burst` at once and `max` in a window, evenly; for large numbers.",
        "concurrency": "At most `max` calls under way; one that never ends counts for `window` seconds.",
    }
)
ON_STORE_ERROR: Mapping[str, str] = MappingProxyType(
    {
        "deny": "Refuses while the store of the limits is away (the default).",
        "local": "Counts in this service's memory meanwhile.",
        "allow": "Does not count meanwhile.",
    }
)
SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "tools": "Rules by the name of the tool.",
        "categories": "Rules for tools without one of their own, by the category that the catalogue gives the tool.",
        "resources": "Rules by URI, in its normal form; a `*` at the end stands for everything that begins so, and "
        "the longest beginning holds.",
        "prompts": "Rules by the name of the prompt.",
        "methods": "Rules by MCP method, also for what the server asks of its client (`sampling/createMessage`).",
    }
)
SERVER_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "shadow": "`true`: nothing of this file is enforced; what it would have said is on record.",
        "default": "The action for everything without a rule: `deny` if it is not said.",
        "approval": "The terms of approvals for every rule of this file that gives none of its own.",
        **SECTIONS,
        "limits": "Limits that every judged call of the server takes from, beside those of its rule.",
        "initialize": "The limit for beginning a session (`initialize`), without a name; its scope is `principal` if "
        "it is not said. Without this key: 300 in 60 seconds.",
    }
)
RULE_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "action": "What happens to the call: `allow` if it is not said.",
        "reason": "The sentence that the agent reads. Not beside `action: allow`.",
        "rate_limit": "One limit, or a list of limits, that the call takes from.",
        "arguments": "A JSON Schema (2020-12) that the arguments must meet before the call goes on; or the word "
        "`declared`: the schema that the tool itself declares, as it was accepted.",
        "approval": "The terms on which a held call may be approved. Only beside `action: require_approval`.",
    }
)
APPROVAL_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "approvers": "Groups of people, any of whom may answer; everybody who may approve if it is not said.",
        "count": "So many different people must say yes: 1 if it is not said, at most 10.",
        "not_self": "`false`: the person behind the caller may say yes too, which is then on record.",
        "decide_within": "Seconds in which people must answer: 900 if it is not said, at most 7 days.",
        "use_within": "Seconds after the grant in which the call must be made: 600 if it is not said, at most a day.",
        "hold_seconds": "Seconds for which the caller may wait with its call held, at most an hour. As the proxy is "
        "configured if it is not said.",
        "note": "Whether an answer needs a text.",
        "standing": "How a grant may stand for equal calls for some time. One call only if it is not said.",
    }
)
NOTES: Mapping[str, str] = MappingProxyType(
    {
        "optional": "A text may be given (the default).",
        "on_refuse": "Whoever refuses must say why.",
        "always": "Every answer needs a text.",
    }
)
STANDING_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "max": "The longest time, in seconds, for which a person may let equal calls pass; at most 7 days. Never for "
        "a tool of critical risk.",
        "match": "Which calls are equal: `exact` (the default) when all arguments are the same, or a list of JSON "
        "pointers to the arguments that must be.",
    }
)
LIMIT_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "name": "What the limit is called in refusals and records; only in `limits`, where each has one of its own.",
        "max": "So many units: a whole number from 1 to 10,000, with `gcra` to 1,000,000.",
        "window": "In so many seconds: a whole number from 1 to 31,622,400 (366 days).",
        "scope": "Whose budget it is.",
        "algorithm": "How it is counted.",
        "burst": "For `gcra`: so many units may be taken at once; `max` if it is not said.",
        "cost": "Units that one call takes: 1 if it is not said.",
        "shadow": "`true`: judged, counted and recorded, but refuses nothing.",
        "on_store_error": "What holds while the store of the limits is away.",
    }
)

"""The page about approvals: how they live, drawn from the table, and what people and clients see."""

from __future__ import annotations

from pdp.api.model import ApprovalState as State
from pdp.approvals.life import LIFE
from pdp.approvals.port import MAX_PENDING, MAX_PENDING_OF_CALLER
from pdp.holding import LONGEST_SHOWN

_PAGE = """\
# Approvals

A rule may say that a person must approve a call first (`action: require_approval` in
[data.yaml](policy-yaml.md), the set `require_approval` in Rego). The call then waits, with its client connected,
until people have answered or the wait is over. What they say yes to is exactly this call: this caller, this
tool as it is defined now, these arguments, held by these rules on these terms. It may be made once.

The diagram, the numbers and the table of states are generated from the code by `make docs`.

## Try it

```yaml
# policy/servers/files/data.yaml
tools:
  delete_file:
    action: require_approval
    reason: Deletions are looked at by a person.
    approval: {{note: on_refuse, use_within: 300}}
```

```
tipstaff approvals list
tipstaff approvals show a-01a2           # everything that the call would do
tipstaff approvals grant a-01a2          # asks once more; --yes where nobody can be asked
tipstaff approvals refuse a-01a2 --note "Use the archive instead."
tipstaff log                             # who answered, between the decisions
```

The beginning of an id is enough. The note of a refusal is read by the agent, which is what makes it change
its course.

## How an approval lives

```mermaid
stateDiagram-v2
{diagram}
```

| state | from there, when |
|---|---|
{states}
- Two clocks run: people have `decide_within` to answer, and a granted call has `use_within` to be made.
- A call that is equal to one that waits joins it. A call that is equal to a refused one is refused, until the time
  to answer would have been over: an agent that asks again does not ask a person again.
- The use is stored before the call goes on. Of any number of equal calls, in any number of services, one goes on;
  the next asks anew. A repeat of the very request whose reply was lost gets its allow again.
- **The call is judged again when it goes on**, by the rules in force then. A deny wins over any grant; where no rule holds
  it any more, it needs none; where a rule holds it on other terms, people are asked anew. Limits are taken then,
  all or none, and a call that a limit refuses leaves its grant as it was.
- `unknown` is the end of a call whose answer was lost after it had gone to the server: nobody can tell whether it was
  done, so look before you approve it again.
- At most {of_caller} calls of one caller wait, and {pending} in all; more are refused with `approval_overload`. Arguments of more
  than {kilobytes} KiB cannot be shown to a person whole, and are refused with `approval_too_large`.

Approvals survive restarts. With `[limits] store = "redis"` all decision services share them; with `memory` they end with
the service. What has ended is kept for 30 days.

## What is the same call

Members may stand in another order and with other white space; everything else counts, also how a number is written
(`1` and `1.0` may be two numbers to the server). Not the session, the client's name or the id of the request.
[ADR 16](adr/0016-what-an-approval-is-for.md) tells why the revision of the policy is not part of it.

## Terms

[data.yaml](policy-yaml.md#approvals) has them all. In Rego they stand in the element, and may be computed:

```rego
package site.payments

require_approval contains {{
	"code": "large_payment",
	"message": "Payments over 1000 are approved by two people of finance.",
	"approval": {{"approvers": ["finance"], "count": 2, "not_self": true}},
}} if {{
	input.target == "pay"
	not _small
}}

_small if {{
	is_number(input.arguments.amount)
	input.arguments.amount <= 1000
}}
```

Where several rules hold one call, each must have its people, from its own groups; the shortest of the times holds,
and the strictest demand for a note.

A **standing grant** (`standing: {{max: 3600, match: ["/path"]}}`, `tipstaff approvals grant ID --for 1h`) lets equal calls pass until
its time is over; equal is what agrees in the arguments that `match` names. It is listed, every use is on record,
`tipstaff approvals revoke` ends it, and it is never given for a tool of critical risk.

## Who may answer

```toml
[[approvals.people]]
id = "ana"                       # the user of the machine, or what the login proves
groups = ["finance"]             # what rules name as `approvers`
principals = ["token:ana-agent"] # callers that act for her
```

Without any people configured, whoever can reach the decision service may answer, as the user of the machine or under the
name given with `--as`. With them, nobody else may. The list takes effect without a restart.

Nobody approves a call of their own agent (`not_self`, unless the rule says `false`): the person behind a caller is the `sub` of
its JWT, and whoever has it among their `principals`. A confirmation of one's own agent, where the rule allows it, is on
record as `self_confirmed`. **Where nobody knows who is behind a caller, as with anonymous ones, `not_self` cannot tell.**

What this does not protect from: whoever can reach the decision service's socket is believed to be who they say they are.
An agent that runs as the same user of the machine can run `tipstaff approvals grant` like you can. Run agents as another
user, or the decision service on another machine with `[pdp.tls]`, where that matters.

## What the agent sees

While it waits: an event stream with a comment at once and every 15 seconds, and progress every 10 seconds, if it gave a
token. After a grant: the server's answer. After a refusal: a tool result with `isError` that begins `Policy violation:` and has
the note. When the wait is over: a tool result with `isError` that begins `Approval pending:`, and says whom it waits for, until
when, and to make exactly the same call again; `_meta["tipstaff/decision"]` has the facts for programs. A client that leaves
ends its wait, and not the approval: the next equal call finds the answer.

`[pep] hold_seconds` (45), `hold_seconds` of a server, and `hold_seconds_of` by caller set how long the proxy holds a call; a rule may shorten it.
A client that takes no event stream is held for 25 seconds at most. A request of more than 64 KiB is not held: its answer comes at once.

| client | gives up after | so |
|---|---|---|
| MCP TypeScript SDK, and most of what is built on it | 60 s, whatever arrives | 45 s, as it is |
| Claude Code | 5 min without progress | may be held for minutes: `hold_seconds_of` |
| Codex | 5 min | the same |
| Python SDK, LangChain, pydantic-ai | 5 min without a byte | the same |
| openai-agents | 5 s | set `client_session_timeout_seconds=None` there, or `hold_seconds_of = 3` here |
| Java SDK, Spring AI | 20 s | `hold_seconds_of = 15` |
| C# SDK | 100 s until the first byte, which comes at once | as it is |
| Go and Rust SDKs | never | as it is |

Too long a wait does no harm: whoever gave up and calls again joins the same approval, or finds the grant.

## Programs

`ApprovalService` (`proto/tipstaff/decision/v1/approvals.proto`) lists, shows, grants, refuses, withdraws, and sends every change. Send the
`digest` that the person was shown: an answer to another call is refused with `APPROVAL_STALE`. Nothing is ever decided by reading.
"""


def page() -> str:
    """The page."""
    return _PAGE.format(
        diagram=_diagram(),
        states=_states(),
        of_caller=MAX_PENDING_OF_CALLER,
        pending=f"{MAX_PENDING:,}",
        kilobytes=LONGEST_SHOWN // 1024,
    )


def _diagram() -> str:
    ended = [state for state in State if not any(start is state for start, _ in LIFE)]
    lines = [f"    [*] --> {State.PENDING}"]
    lines += [f"    {start} --> {end}: {event.value}" for (start, event), end in LIFE.items()]
    lines += [f"    {state} --> [*]" for state in (State.USED, *ended)]
    return "\n".join(lines)


def _states() -> str:
    rows = []
    for state in State:
        ways = [
            f"`{end}` when {event.value}" for (start, event), end in LIFE.items() if start is state
        ]
        rows.append(f"| `{state}` | {'; '.join(ways) or 'nowhere: it has ended'} |\n")
    return "".join(rows)

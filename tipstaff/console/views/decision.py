"""One decision's whole story: what was asked, what was decided and why, what came before and after. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from tipstaff.console.history import Decision, Finding, Limit
from tipstaff.console.views.charts import shares
from tipstaff.console.views.decisions import PATH, decision_table, effect_badge
from tipstaff.console.views.forms import Frame
from tipstaff.console.views.markup import Element, Part, tag
from tipstaff.console.views.shell import badge, fields, shell, table
from tipstaff.console.views.tree import tree


def decision(
    frame: Frame, made: Decision, before: Sequence[Decision], after: Sequence[Decision]
) -> bytes:
    """The page of one decision."""
    call = f"{made.server} {made.target or made.method}"
    return shell(
        frame,
        call,
        tag("p", tag("a", "← Decisions", href=PATH)),
        tag("h1", f"{call} ", effect_badge(made.effect)),
        tag("p", made.reason.message or "Nothing was said about it."),
        fields(_outcome(made)),
        tag("h2", "The call"),
        fields(_request(made)),
        tag("h2", "Arguments"),
        tag("div", tree(bytes(made.arguments)), class_="arguments"),
        _masked(made),
        tag("h2", "Limits"),
        _limits(made.limits),
        tag("h2", "Rules that are only watched"),
        _shadow(made.shadow),
        tag("h2", "Time"),
        _timings(made),
        tag("h2", "Before and after, in the same session"),
        _neighbours("Before", before),
        _neighbours("After", after),
    )


def forgotten(frame: Frame, decision_id: str) -> bytes:
    """A decision that this console has not seen, or does not remember."""
    return shell(
        frame,
        "Not remembered",
        tag("h1", "This decision is not remembered here"),
        tag("p", "The console keeps the newest decisions in memory. The journal has all of them:"),
        tag("pre", f"tipstaff log --since 7d --json | grep {decision_id}"),
        tag("p", tag("a", "Decisions", href=PATH)),
    )


def _outcome(made: Decision) -> list[tuple[str, Part]]:
    rows: list[tuple[str, Part]] = [
        ("Reason code", tag("code", made.reason.code)),
        ("Rule that decided", tag("code", made.rule) if made.rule else "none"),
        ("Revision of the rules", tag("code", made.revision) if made.revision else "none"),
        ("When", made.timestamp),
    ]
    if made.approval:
        name = tag("a", tag("code", made.approval.id), href=f"/a/{quote(made.approval.id)}")
        rows.append(
            ("Approval", [name, " ", badge(made.approval.state, f"state-{made.approval.state}")])
        )
    if made.fault:
        rows.append(("What went wrong", made.fault))
    if made.obligations:
        rows.append(("Obligations", [tag("div", _pairs(each)) for each in made.obligations]))
    rows.append(("Decision", tag("code", made.decision_id)))
    return rows  # fmt: skip


def _request(made: Decision) -> list[tuple[str, Part]]:
    session = f"{made.session.kind} {made.session.id}".strip()
    rows: list[tuple[str, Part]] = [
        ("Caller", f"{made.principal.id} ({made.principal.kind or 'not proven'})"),
        ("Session", session or "none"),
        ("Client, by its own account", _pairs(made.client) or "it does not say"),
        ("Method", made.method),
        ("What the tool can do", _ability(made.tool)),
        ("Came by", made.transport or "unknown"),
    ]
    if made.request_id:
        rows.append(("Request", tag("code", made.request_id)))
    if made.trace_id:
        rows.append(("Trace", tag("code", made.trace_id)))
    return rows


def _ability(tool: dict[str, Any]) -> Part:
    known = " ".join(str(tool[name]) for name in ("risk", "category") if tool.get(name))
    marks = _plain(tool.get("marks", ()))
    changed = badge("changed since it was accepted", "bad") if tool.get("changed") else None
    if not (known or marks or changed):
        return "not in the catalogue"
    bad = "bad" if tool.get("risk") in {"high", "critical"} else ""
    return [badge(known, bad) if known else None, f" {marks} " if marks else None, changed]


def _masked(made: Decision) -> Part:
    if not made.masked:
        return None
    return tag("p", "Masked, because it may be a secret: ", [[tag("code", each), " "] for each in made.masked])  # fmt: skip


def _limits(limits: Sequence[Limit]) -> Part:
    if not limits:
        return tag("p", "No limit was asked.")
    heads = ("Limit", "Counts by", "Said", "Used", "Share")
    return table("What each limit said", heads, [_limit(limit) for limit in limits])


def _limit(limit: Limit) -> Element:
    used = max(0, limit.max - limit.remaining)
    words = f"{used} of {limit.max} in {limit.window} s"
    verdict = "passed" if limit.passed else "exhausted"
    return tag(
        "tr",
        tag("th", limit.name, scope="row"),
        tag("td", limit.scope),
        tag("td", badge(verdict, "" if limit.passed else "bad"), badge("shadow") if limit.shadow else None),
        tag("td", words),
        tag("td", shares([(used, "bar-used" if limit.passed else "bar-deny")], limit.max, words)),
    )  # fmt: skip


def _shadow(findings: Sequence[Finding]) -> Part:
    if not findings:
        return tag("p", "None has anything to say.")
    rows = [
        tag(
            "tr",
            tag("th", finding.rule, scope="row"),
            tag("td", effect_badge(finding.effect)),
            tag("td", finding.reason.code),
            tag("td", finding.reason.message),
        )
        for finding in findings
    ]
    return table("What they would have done", ("Rule", "Effect", "Code", "Why"), rows)


def _timings(made: Decision) -> Part:
    policy, total = made.timings.policy_us, made.timings.total_us
    if not total:
        return tag("p", "No time was taken.")
    words = f"{total / 1000:.2f} ms in all, {policy / 1000:.2f} ms of it for the policy query"
    return (
        shares([(policy, "bar-used"), (max(0, total - policy), "bar-other")], total, words),
        tag("p", f"{words}."),
    )


def _neighbours(word: str, decisions: Sequence[Decision]) -> Part:
    if not decisions:
        return tag("p", f"{word}: nothing that is remembered.")
    return decision_table(f"{word} this call", decisions)


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {_plain(value)}" for name, value in values.items())


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

"""`tipstaff status`: the state of a site's services, as they report it. Starts and changes nothing."""

from __future__ import annotations

import argparse
import time
from typing import Any

import grpc
import httpx
from rich.text import Text

from pdp.api.v1 import approvals_pb2, approvals_pb2_grpc, policy_pb2, policy_pb2_grpc
from pep.config import listen_address
from pep.judge import decision_channel
from tipstaff.cli import console
from tipstaff.cli.configuration.config import Config, load
from tipstaff.cli.run import running

_SECONDS = 3.0
_GOOD, _BAD = "green", "bold red"


def command(arguments: argparse.Namespace) -> int:
    """`tipstaff status`."""
    config = load(arguments.config)
    policy = _policy(config)
    state = {
        # Where only wrappers ask, no server is registered, and there is no proxy.
        "proxy": _proxy(config) if config.pep.servers else None,
        "policy": policy,
        "approvals": {"pending": _pending(config) if policy["runs"] else None},
        "console": _console(config.console.port) if config.console.port else None,
        "configuration": {
            "file": str(config.source),
            "advice": running.outdated(config),
            "needs_restart": sorted(
                {key for service in running.all_of(config) for key in service.waiting}
            ),
        },
        "services": [
            {"service": service.service, "pid": service.pid, "read_at": service.since}
            for service in running.all_of(config)
        ],
    }
    if arguments.json:
        console.print_json(state)
    else:
        _print(config, state)
    return 0 if _is_well(state) else 1


def _is_well(state: dict[str, Any]) -> bool:
    proxy, policy, configuration = state["proxy"], state["policy"], state["configuration"]
    is_current = not configuration["advice"] and not configuration["needs_restart"]
    is_served = proxy is None or proxy["ready"]
    return bool(is_served and policy["ready"] and not policy["stale"] and is_current)


def _proxy(config: Config) -> dict[str, Any]:
    """The state of the proxy by its `/healthz`, or that it does not answer."""
    host, port = listen_address(config.pep.listen)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound
    scheme = "https" if config.pep.tls.certificate else "http"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/healthz"
    try:
        # What is asked is whether it answers, on this machine: its certificate names another host.
        answer = httpx.get(url, timeout=_SECONDS, verify=False, trust_env=False)  # noqa: S501
        plain = answer.json()
        return {"url": url, "runs": True, **{str(key): value for key, value in plain.items()}}
    except (httpx.HTTPError, ValueError) as error:
        return {"url": url, "runs": False, "ready": False, "reason": type(error).__name__}


def _policy(config: Config) -> dict[str, Any]:
    """The state of the policy, as the decision service reports it."""
    address = config.pdp.listen
    try:
        with decision_channel.channel(address, config.pep.pdp_tls) as channel:
            stub = policy_pb2_grpc.PolicyServiceStub(channel)
            status = stub.GetStatus(policy_pb2.GetStatusRequest(), timeout=_SECONDS)
    except grpc.RpcError as error:
        return {"address": address, "runs": False, "ready": False, "stale": True,
                "last_error": "", "reason": error.code().name}  # fmt: skip
    return {
        "address": address,
        "runs": True,
        "ready": status.ready,
        "stale": status.stale,
        "revision": status.revision,
        "age_seconds": round(status.age_seconds, 1),
        "last_error": status.last_error,
        "questions": status.questions,
        "known_answers": status.known_answers,
    }


def _pending(config: Config) -> int | None:
    """How many calls wait for an answer, `None` when nobody can tell."""
    try:
        with decision_channel.channel(config.pdp.listen, config.pep.pdp_tls) as channel:
            stub = approvals_pb2_grpc.ApprovalServiceStub(channel)
            request = approvals_pb2.ApprovalServiceListRequest(page_size=1)
            return int(stub.List(request, timeout=_SECONDS).pending)
    except grpc.RpcError:
        return None


def _console(port: int) -> dict[str, Any]:
    """Where the console is, and whether it answers; calls are judged without it."""
    url = f"http://127.0.0.1:{port}/"
    try:
        httpx.get(f"{url}login", timeout=_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        return {"url": url, "runs": False, "reason": type(error).__name__}
    return {"url": url, "runs": True}


def _print(config: Config, state: dict[str, Any]) -> None:
    proxy, policy, pids = state["proxy"], state["policy"], _pids(state)
    if proxy is None:
        _line("proxy", "none", "no server is registered: only wrappers can ask", "")
    elif not proxy["runs"]:
        _line("proxy", "does not run", f"nobody answers at {proxy['url']}", _BAD)
    elif proxy["ready"]:
        _line("proxy", "ready", f"{proxy['url']}{pids['pep']}", _GOOD)
    else:
        _line("proxy", "not ready", f"{proxy.get('code', '')}: {proxy.get('reason', '')}", _BAD)
    where = f"{policy['address']}{pids['pdp']}"
    if not policy["runs"]:
        _line("decision service", "does not run", f"nobody answers at {where}", _BAD)
    else:
        word, style = ("ready", _GOOD) if policy["ready"] else ("not ready", _BAD)
        _line("decision service", word, where, style)
        _print_policy(policy)
        _print_pending(state["approvals"]["pending"])
    _print_console(state["console"])
    _print_configuration(config, state)


def _print_policy(policy: dict[str, Any]) -> None:
    revision = f"{policy['revision'] or 'none'}, confirmed {policy['age_seconds']:.0f} s ago"
    if policy["stale"]:
        _line("policy", "stale", f"{revision}; the files say something else", _BAD)
    else:
        _line("policy", "current", revision, _GOOD)
    if policy["questions"]:
        share = policy["known_answers"] / policy["questions"]
        _line("", f"{share:.0%} known", f"of {policy['questions']} answers, from earlier calls", "")
    if policy["last_error"]:
        _line("", "not loaded", policy["last_error"], _BAD)


def _print_pending(pending: int | None) -> None:
    """A line about the calls that wait for people: not a fault, and work for somebody."""
    if pending is None:
        _line(
            "approvals", "unknown", "the service does not tell which calls wait for an answer", _BAD
        )
    elif pending:
        calls = "one call waits" if pending == 1 else f"{pending} calls wait"
        _line(
            "approvals", "waiting", f"{calls} for an answer: tipstaff approvals list", "bold yellow"
        )
    else:
        _line("approvals", "none", "no call waits for an answer", _GOOD)


def _print_console(page: dict[str, Any] | None) -> None:
    """A line about the pages, where `up` serves them; their absence keeps no call from being judged."""
    if page is None:
        return
    if page["runs"]:
        _line("console", "ready", f"{page['url']}  (tipstaff console login opens it)", _GOOD)
    else:
        _line("console", "does not run", f"nobody answers at {page['url']}", "bold yellow")


def _print_configuration(config: Config, state: dict[str, Any]) -> None:
    configuration = state["configuration"]
    if not state["services"]:
        return
    since = max(service["read_at"] for service in state["services"])
    if configuration["advice"]:
        _line("configuration", "newer", configuration["advice"], _BAD)
    else:
        _line("configuration", "as it runs", f"{config.source}, read {_ago(since)} ago", _GOOD)
    if configuration["needs_restart"]:
        _line("", "needs a restart", ", ".join(configuration["needs_restart"]), "bold yellow")


def _pids(state: dict[str, Any]) -> dict[str, str]:
    pids = {service["service"]: f"  (pid {service['pid']})" for service in state["services"]}
    return {"pep": "", "pdp": "", **pids}


def _ago(moment: int) -> str:
    seconds = max(0, int(time.time()) - moment)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _line(what: str, word: str, text: str, style: str) -> None:
    console.out.print(Text.assemble(f"{what:17} ", (f"{word:15}", style), f" {text}"))

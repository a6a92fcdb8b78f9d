"""Warns of names of servers and tools that do not exist, and names the nearest that do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import grpc

from pdp.api.v1 import policy_pb2, policy_pb2_grpc
from pdp.errors import ConfigError
from tipstaff.cli.configuration.config import load
from tipstaff.common.did_you_mean import nearest

_TOOL_METHOD = "tools/call"


def notes(opened: Any, arguments: argparse.Namespace, timeout: float) -> list[str]:
    """Notes on the names of a call; none where nothing is known of them."""
    tools = _catalogue(opened, timeout)
    servers = _configured(arguments) | tools.keys()
    is_tool = arguments.method == _TOOL_METHOD
    return list(odd(arguments.server, arguments.target if is_tool else "", servers, tools))


def odd(server: str, tool: str, servers: set[str], tools: Mapping[str, set[str]]) -> Iterator[str]:
    """A sentence for a server that is none, or else for a tool that the server does not have."""
    if servers and server not in servers:
        yield f"there is no server {server}; {nearest(server, servers)}"
    elif tool and tools.get(server) and tool not in tools[server]:
        yield f"{server} has no tool {tool} in its catalogue; {nearest(tool, tools[server])}"


def _catalogue(opened: Any, timeout: float) -> dict[str, set[str]]:
    """The tools by server in the service's catalogue; empty when it does not answer."""
    stub = policy_pb2_grpc.PolicyServiceStub(opened)
    tools: dict[str, set[str]] = {}
    try:
        reply = stub.Catalog(policy_pb2.CatalogRequest(), timeout=timeout)
    except grpc.RpcError:
        return tools  # the question that follows says why
    for row in reply.tools:
        tools.setdefault(row.server, set()).add(row.tool)
    return tools


def _configured(arguments: argparse.Namespace) -> set[str]:
    try:
        return {server.name for server in load(arguments.config).pep.servers}
    except ConfigError:
        return set()

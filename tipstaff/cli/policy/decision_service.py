"""Connects commands to the running decision service, and explains why it did not answer."""

from __future__ import annotations

import argparse
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from pdp.api.address import is_local
from pep.config import PdpTls
from pep.judge import decision_channel
from tipstaff.cli.configuration.config import load


def channel(arguments: argparse.Namespace) -> tuple[str, Any]:
    """The decision service's address, and a channel to it; raises `ConfigError` or `StartError`."""
    address, tls = arguments.address, PdpTls()
    if not address or not is_local(address):
        config = load(arguments.config)
        address, tls = address or config.pdp.listen, config.pep.pdp_tls
    return address, decision_channel.channel(address, tls)


def why_unanswered(error: grpc.RpcError, address: str) -> str:
    """The error for a request that was not answered, with what to do."""
    code = error.code()
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"the decision service at {address} is older than this command and cannot do that"
    if reason := reason_of(error):
        return f"the decision service at {address} could not answer ({reason}): {error.details()}"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"no decision service answers at {address}: is `tipstaff up` running?"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the decision service at {address} did not answer in time"
    return f"the decision service refused the question: {error.details()}"


def reason_of(error: grpc.RpcError) -> str:
    """The reason in the service's own ErrorInfo; "" when the error does not come from the service."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # a status that contradicts itself
        return ""
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            return str(info.reason)
    return ""

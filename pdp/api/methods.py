"""The methods that are judged, as rules may name them. Does no I/O.

The enforcement point's own tables (`pep.mcp.methods`) say how each method is read; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Whether a call of the method carries arguments that a schema could check.
METHODS: Mapping[str, bool] = MappingProxyType(
    {
        "tools/call": True,
        "prompts/get": True,
        "resources/read": False,
        "resources/subscribe": False,
        "resources/unsubscribe": False,
        "completion/complete": True,
        "tasks/get": False,
        "tasks/result": False,
        "tasks/update": True,
        "tasks/cancel": False,
        "initialize": False,
        "server/discover": False,
        "tools/list": False,
        "prompts/list": False,
        "resources/list": False,
        "resources/templates/list": False,
        "tasks/list": False,
        "logging/setLevel": False,
        "subscriptions/listen": True,
        # Requests from servers to their clients.
        "sampling/createMessage": True,
        "elicitation/create": True,
        "roots/list": True,
    }
)

"""Who owns a task: the caller whose call created it. Bounded; holds no clock and does no I/O.

A task's id is all that is needed to read its result, so only its owner may use it (MCP 2025-11-25,
tasks; SEP-2663). A task that is not known, as after a restart, has no owner: a request for it goes on
where callers are anonymous, and is refused where they are authenticated.
"""

from __future__ import annotations

from collections import OrderedDict

from pdp.api.model import Principal
from pep.errors import InvalidParams


class TaskBook:
    """The tasks that servers created, the least recently used forgotten first."""

    def __init__(self, capacity: int = 20_000) -> None:
        """Remember at most `capacity` tasks."""
        self._capacity = capacity
        self._owners: OrderedDict[tuple[str, str], str] = OrderedDict()

    def learn(self, server: str, task: str, principal: Principal) -> None:
        """Note that an answer to this caller named the task. The first such caller owns the task."""
        self._owners.setdefault((server, task), principal.id)
        self._owners.move_to_end((server, task))
        if len(self._owners) > self._capacity:
            self._owners.popitem(last=False)

    def check(self, server: str, task: str, principal: Principal) -> None:
        """Raises `InvalidParams`, as for an unknown task, unless the caller owns the task."""
        if not self.is_owner(server, task, principal):
            raise InvalidParams("Task not found")

    def is_owner(self, server: str, task: str, principal: Principal) -> bool:
        """Whether this caller may use the task."""
        owner = self._owners.get((server, task))
        return principal.kind == "anonymous" if owner is None else owner == principal.id

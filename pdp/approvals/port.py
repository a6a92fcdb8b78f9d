"""The port of a store of approvals, and the step that begins one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from pdp.api.model import ApprovalState as State
from pdp.approvals import life
from pdp.approvals.life import HeldCall
from pdp.errors import ApprovalOverload

MAX_PENDING = 1000
MAX_PENDING_OF_CALLER = 20
MAX_KEPT = 20_000

Step = Callable[[HeldCall, int], HeldCall | None]
"""What is made of an approval at a time in microseconds; `None` and itself change nothing."""


class Filter(Struct, frozen=True):
    """Selects approvals; an empty text matches any."""

    state: str = ""
    server: str = ""
    principal: str = ""

    @property
    def texts(self) -> tuple[str, str, str]:
        """The three texts."""
        return self.state, self.server, self.principal

    def fits(self, held: HeldCall) -> bool:
        """Whether the approval is selected."""
        actual = (held.state.value, held.subject.server, held.caller.id)
        return all(
            not text or text == other for text, other in zip(self.texts, actual, strict=True)
        )


class Begun(Struct, frozen=True):
    """The approval that answers a held call: a new one, or the one that it has joined."""

    held: HeldCall
    is_new: bool
    is_changed: bool


class ApprovalStore(Protocol):
    """Keeps approvals. Every method raises `StoreError`."""

    async def now(self) -> int:
        """The time of the store, in microseconds: the same for all services over it."""

    async def begin(self, new: HeldCall) -> Begun:
        """Keep `new`, or find the approval that answers an equal call, in one atomic step.

        Raises `ApprovalOverload` when too many are pending.
        """

    async def change(self, approval_id: str, step: Step) -> tuple[HeldCall, HeldCall] | None:
        """The approval before and after `step`, in one atomic step that is durable when this returns.

        `None` when there is no such approval, or `step` says so. `step` may run several times; what it
        raises is raised, and nothing has changed then.
        """

    async def get(self, ids: Sequence[str]) -> dict[str, HeldCall]:
        """The approvals of these identifiers, as far as there are any."""

    async def find(self, selected: Filter, most: int) -> Sequence[HeldCall]:
        """At most `most` approvals, pending ones first, then the newest."""

    async def pending(self) -> int:
        """How many are pending."""

    async def due(self, most: int) -> Sequence[str]:
        """Identifiers of open approvals whose time is over."""

    async def changed_since(self, since: int) -> Sequence[HeldCall]:
        """All that other services have changed since the time `since`, the earliest first."""

    async def close(self) -> None:
        """Let go of the file or the connection."""


def begun(
    new: HeldCall,
    equal: HeldCall | None,
    standing: HeldCall | None,
    pending_of_caller: Callable[[], int],
    pending: Callable[[], int],
    now: int,
) -> Begun:
    """The approval that answers the call of `new`; raises `ApprovalOverload`.

    `equal` is the newest of the same key, `standing` the newest standing grant of the same standing key.
    """
    if standing is not None and life.at(standing, now).state is State.GRANTED:
        return Begun(standing, is_new=False, is_changed=False)
    if equal is not None and life.answers_equal_calls(equal, now):
        if equal.state is State.PENDING:
            return Begun(life.join(equal), is_new=False, is_changed=True)
        return Begun(equal, is_new=False, is_changed=False)
    if pending_of_caller() >= MAX_PENDING_OF_CALLER:
        raise ApprovalOverload("too many calls of this caller wait for an approval")
    if pending() >= MAX_PENDING:
        raise ApprovalOverload("too many calls wait for an approval")
    return Begun(new, is_new=True, is_changed=True)

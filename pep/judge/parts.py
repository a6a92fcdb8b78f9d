"""The parts that judge messages: the same for every exchange of a proxy."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from pep.judge.tasks import TaskBook
from pep.load.large_work import LargeWork
from pep.ports import Decisions, Workers
from pep.workers.alone import Alone


class JudgeParts(Struct, frozen=True):
    """The decision service, what is known of tasks, and who else needs to know.

    `new_id` makes the id of a question; `list_ttl_ms` is how long a client may keep a list, in
    milliseconds; `large` takes the work on large messages.
    """

    decisions: Decisions
    tasks: TaskBook
    new_id: Callable[[], str]
    list_ttl_ms: int
    large: LargeWork = field(default_factory=LargeWork)
    workers: Workers = field(default_factory=Alone)

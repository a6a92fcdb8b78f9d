"""The steps of judging that concern approvals: begin or find, and use. Between the checks and the limits, and after them.

A held call finds its approval by its key. A pending one holds it; a grant lets it go on to the limits, and
is used only when these have been taken, so that a call that a limit refuses leaves its grant as it was. Of
equal calls one uses the grant; the others begin an approval of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from msgspec import Struct

from pdp.answer import Limit, PolicyAnswer
from pdp.api.model import ApprovalState as State
from pdp.api.model import Call, Direction, Effect, Phase
from pdp.approvals import key, life
from pdp.approvals.life import IN_VAIN, Budget, Caller, HeldCall, Subject
from pdp.approvals.outcome import Outcome
from pdp.approvals.people import human_behind
from pdp.errors import ApprovalOverload, JournalError, StoreError
from pdp.policy.question import Answered, OnError
from pdp.records.documents import masked_document
from tipstaff.common.masking import masked_text

LONGEST_SHOWN = 256 * 1024
"""Bytes of arguments that people are shown; a call with more cannot be approved."""


class ApprovalBook(Protocol):
    """The approvals, as judging needs them."""

    async def now(self) -> int:
        """See `Approvals.now`."""

    async def begin(self, new: HeldCall) -> HeldCall:
        """See `Approvals.begin`."""

    async def claim(self, approval_id: str, request_id: str) -> HeldCall | None:
        """See `Approvals.claim`."""

    async def look(self, approval_id: str) -> HeldCall | None:
        """See `Approvals.look`."""

    def contradict(self, approval_id: str, caller_id: str) -> Coroutine[Any, Any, None]:
        """See `Approvals.contradict`."""


class Holdable(Answered):
    """A call that may be held.

    `held` is its approval, `no_approval` the code of the reason for having none, `decision_id` the id of its
    decision, when that is known already, `asked_at` the time of asking in microseconds.
    """

    held: HeldCall | None = None
    no_approval: str = ""
    decision_id: str = ""
    asked_at: int = 0

    @property
    def outcome(self) -> Outcome:
        """What asking people has come to."""
        return Outcome(self.held, self.no_approval, self.asked_at)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What the call takes from, by the policy's answer."""
        return self.answer.limits if isinstance(self.answer, PolicyAnswer) else ()

    @property
    def definition(self) -> str:
        """The digest of the tool's definition: the accepted one, else the one that is listed now."""
        return self.tool.pin.digest if self.tool.pin else self.call.definition

    @property
    def is_held(self) -> bool:
        """Whether the policy holds it, and people can be asked about it."""
        answer, call = self.answer, self.call
        return (
            isinstance(answer, PolicyAnswer)
            and answer.effect is Effect.HOLD
            and call.phase is Phase.CALL
            and call.direction is Direction.TO_SERVER
        )


class Asking(Struct, frozen=True):
    """The steps, over the approvals of `book`; unforeseen errors of one call deny that call, and go to `unexpected`."""

    book: ApprovalBook
    new_id: Callable[[], str]
    unexpected: OnError

    async def find(self, cases: Sequence[Holdable]) -> None:
        """Give each held call its approval, or the reason code of having none."""
        for case in cases:
            if case.is_held:
                await self._do(case, _find(case, self.book, self.new_id))

    async def use(self, cases: Sequence[Holdable]) -> None:
        """Use the grants of calls whose limits are taken; who comes too late finds an approval that is not granted."""
        for case in cases:
            if case.held is not None and case.held.state is State.GRANTED:
                await self._do(case, _use(case, case.held, self.book, self.new_id))

    async def contradict(self, cases: Sequence[Holdable]) -> None:
        """End the approvals that callers have waited for, and whose calls are not held on these terms any more."""
        for case in cases:
            waited, held = case.call.approval_id, case.held
            is_judged = bool(waited) and isinstance(case.answer, PolicyAnswer)
            if is_judged and (held is None or held.id != waited):
                await self._do(case, self.book.contradict(waited, case.call.principal.id))

    async def _do(self, case: Holdable, step: Coroutine[Any, Any, None]) -> None:
        try:
            await step
        except Exception as error:  # noqa: BLE001 - of this call alone
            case.held = None
            case.fail(error)
            self.unexpected(error)


async def _use(
    case: Holdable, held: HeldCall, book: ApprovalBook, new_id: Callable[[], str]
) -> None:
    try:
        used = await book.claim(held.id, case.call.request_id)
    except (StoreError, JournalError) as error:
        _without(case, error)
        return
    if used is not None:
        case.held = used
        return
    await _find(case, book, new_id)
    if case.held is not None and case.held.state is State.GRANTED:
        case.held, case.no_approval = None, "approval_unavailable"


async def _find(case: Holdable, book: ApprovalBook, new_id: Callable[[], str]) -> None:
    case.held = None
    case.decision_id = case.decision_id or new_id()
    try:
        case.asked_at = await book.now()
        new = _new(case)
        if new is None:
            case.no_approval = "approval_too_large"
            return
        ended = await _ended(case, new.key, book)
        case.held = ended or await book.begin(new)
    except (ApprovalOverload, StoreError, JournalError) as error:
        _without(case, error)


def _new(case: Holdable) -> HeldCall | None:
    """An approval for the call; `None` when its arguments are too large to be shown whole."""
    answer, call, definition = case.answer, case.call, case.definition
    assert isinstance(answer, PolicyAnswer)  # noqa: S101 - it is held
    subject = _subject(case, answer)
    if subject is None:
        return None
    may_stand = subject.risk != "critical"
    return life.begin(
        _approval_id(case.decision_id),
        (
            key.key(call, definition, answer.holds),
            key.standing_key(call, definition, answer.holds) if may_stand else "",
        ),
        caller=_caller(call),
        subject=subject,
        holds=answer.holds,
        revision=case.revision,
        decision_id=case.decision_id,
        now=case.asked_at,
    )


async def _ended(case: Holdable, this_key: str, book: ApprovalBook) -> HeldCall | None:
    """The approval that the caller has waited for in vain: a person who did not answer is not asked again at once."""
    if not case.call.approval_id:
        return None
    held = await book.look(case.call.approval_id)
    if held is None or held.key != this_key or held.state not in IN_VAIN:
        return None
    return held


def _without(case: Holdable, error: Exception) -> None:
    case.held = None
    case.no_approval = "approval_unavailable"
    if isinstance(error, ApprovalOverload | JournalError):
        case.no_approval = error.code


def _approval_id(decision_id: str) -> str:
    """A short identifier that sorts by time, as people type it."""
    return "a-" + decision_id


def _caller(call: Call) -> Caller:
    return Caller(call.principal.id, call.principal.kind, call.client, human_behind(call.principal))


def _subject(case: Holdable, answer: PolicyAnswer) -> Subject | None:
    """What people are shown, without secrets; `None` when it is too large to be shown whole."""
    call, tool = case.call, case.tool
    arguments = masked_document(call.arguments, LONGEST_SHOWN)
    if arguments.is_omitted:
        return None
    return Subject(
        server=call.server,
        method=call.method,
        target=masked_text(call.target),
        arguments=arguments.data.decode("utf-8", "surrogatepass"),
        definition=case.definition,
        category=tool.facts.category,
        risk=tool.facts.risk,
        confidence=tool.facts.confidence,
        limits=tuple(
            Budget(limit.name, limit.scope, limit.max, limit.window, limit.cost)
            for limit in answer.limits
            if not limit.shadow
        ),
    )

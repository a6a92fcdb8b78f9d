"""The query to the policy: every call with its tool's catalogue entry, answered by one revision.

Theory: the catalogue (category, pin and schema of each tool) and the rules are two halves of one
policy. They are loaded together, but OPA activates the rules on its own, so an answer counts only with
the catalogue of the revision that gave it: a call with the facts of another revision is queried again.
A failure of one call is a `Fault` of that call alone; nothing is raised.

Only what rules read is sent, and a call that agrees in all of it with an earlier one has its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field

from pdp.answer import BatchAnswer, Fault, PolicyAnswer, Silence
from pdp.api.model import Call
from pdp.policy.input import policy_input, projected, with_known_answer
from pdp.policy.known_answers import KnownAnswers
from pdp.ports import Drift, PolicyEngine
from pdp.rules.input_reads import EVERYTHING, InputReads
from pdp.tools.catalogue import UNKNOWN, Catalogue, Catalogues, Tool
from pdp.tools.changed_tools import Sighting

# One round each for the revision in force, its successor, and the successor of that.
_ROUNDS = 3
_TOOL_METHOD = "tools/call"
_LONGEST_DETAIL = 500
INTERNAL_ERROR = "internal_error"
# Keeps the two kinds of questions apart: what all rules read of one call may be what the YAML rules read of another.
_YAML = b"yaml "
_UNASKED = Fault("policy_invalid_result", "no answer, to a call whose answer was not known")

Answer = PolicyAnswer | Fault
OnError = Callable[[Exception], None]


class Answered(Struct):
    """A call, the policy's answer to it, and the revision and the tool it was answered by.

    `document` is the whole `input`, empty when the policy was not asked; `read` is the part of it that rules of
    the revision read, `read_by_yaml` the part that the YAML rules do, where that is less. `yaml_answer` is the
    known answer to that part. `is_known` means that an earlier call had the whole answer.
    """

    call: Call
    answer: Answer | None = None
    revision: str = ""
    tool: Tool = UNKNOWN
    document: bytes = b""
    read: bytes = b""
    read_by_yaml: bytes = b""
    yaml_answer: PolicyAnswer | None = None
    reads: InputReads = EVERYTHING
    is_known: bool = False

    def fail(self, error: Exception) -> None:
        """Deny the call: judging it has raised `error`, whatever that is."""
        detail = f"{type(error).__name__}: {error}"[:_LONGEST_DETAIL]
        self.answer = Fault(INTERNAL_ERROR, detail)


class Question(Struct, frozen=True):
    """The policy engine and the state that a query needs; unforeseen errors go to `unexpected` as well."""

    engine: PolicyEngine
    drift: Drift
    catalogues: Catalogues
    unexpected: OnError
    known: KnownAnswers = field(default_factory=lambda: KnownAnswers(0))

    async def ask(self, cases: Sequence[Answered], now_ns: int) -> None:
        """Give each of `cases` its answer; `now_ns` is the time that rules see."""
        catalogue, asking = self.catalogues.in_force, cases
        for _ in range(_ROUNDS):
            other = await self._round(asking, catalogue, now_ns)
            asking = [case for case in asking if case.answer is None]
            if not asking or other is None:
                break
            catalogue = other
        for case in asking:
            case.answer = Fault("policy_unavailable", "the rules changed too often meanwhile")

    async def _round(
        self, cases: Sequence[Answered], catalogue: Catalogue, now_ns: int
    ) -> Catalogue | None:
        """Query once. Cases that another revision answered stay open; returns that revision's catalogue."""
        self._look_up(cases, catalogue)
        sent = []
        for case in cases:
            if case.answer is None:
                try:
                    case.document = policy_input(case.call, case.tool, now_ns)
                    case.reads = catalogue.reads
                    case.read = projected(case.call, case.tool, now_ns, case.reads)
                    if not self._is_known(case, catalogue, now_ns):
                        sent.append(case)
                except Exception as error:  # noqa: BLE001 - of this call alone, whatever it is
                    self._fail(case, error)
        other = None
        for batch, answer in await self._query(sent):
            actual = self.catalogues.of(answer.revision)
            if _is_fault(answer) or actual is catalogue:
                if not self._take_over(batch, answer):
                    other = catalogue
                self._remember(batch)
            elif actual is None:
                detail = f"there is no catalogue of the revision {answer.revision!r}"
                _deny(batch, Fault("policy_unavailable", detail))
            else:
                other = actual
        return other

    def _is_known(self, case: Answered, catalogue: Catalogue, now_ns: int) -> bool:
        """Give the case the answer that is known already, if one is; note it if one is to the YAML rules alone."""
        self.known.questions += 1
        case.read_by_yaml, case.yaml_answer = b"", None
        if catalogue is not self.catalogues.in_force:
            return False
        revision = self.catalogues.revision
        answer = self.known.get(revision, case.read) if case.reads.is_repeatable else None
        if answer is None:
            if case.reads.of_yaml is not None:
                part = projected(case.call, case.tool, now_ns, case.reads.of_yaml)
                case.read_by_yaml = _YAML + part
                case.yaml_answer = self.known.get(revision, case.read_by_yaml)
                case.revision = revision
            return False
        self.known.hits += 1
        case.answer, case.revision, case.is_known = answer, revision, True
        return True

    def _take_over(self, batch: Sequence[Answered], answer: BatchAnswer) -> bool:
        """Give each case its answer; `False` when one stays open.

        That is so where its known answer is of another revision than has answered; what is known is forgotten.
        """
        is_whole = True
        for case, each in zip(batch, answer.answers, strict=True):
            if isinstance(each, Silence) and case.yaml_answer is not None:
                if case.revision != answer.revision:
                    self.known.forget()
                    is_whole = False
                    continue
                case.answer = case.yaml_answer
            else:
                case.answer = _UNASKED if isinstance(each, Silence) else each
            case.revision = answer.revision
        return is_whole

    def _remember(self, batch: Sequence[Answered]) -> None:
        """Keep the answers of the revision in force."""
        for case in batch:
            answer = case.answer
            if not isinstance(answer, PolicyAnswer) or case.revision != self.catalogues.revision:
                continue
            if case.reads.is_repeatable:
                self.known.put(case.revision, case.read, answer)
            if answer.site_is_silent and case.read_by_yaml:
                self.known.put(case.revision, case.read_by_yaml, answer)

    def _look_up(self, cases: Sequence[Answered], catalogue: Catalogue) -> None:
        """Look up the tool of each call, after sightings of changed tools are noted, so that they hold for all calls."""
        listed = []
        for case in cases:
            call = case.call
            is_tool = call.method == _TOOL_METHOD
            case.tool = tool = catalogue.tool(call.server, call.target) if is_tool else UNKNOWN
            if call.definition and tool.pin is not None and call.definition != tool.pin.digest:
                listed.append(Sighting(call.server, call.target, tool.pin, call.definition))
        if listed:
            self._note(listed, cases)
        for case in cases:
            if case.tool.pin is None:
                continue
            try:
                if self.drift.seen(case.call.server, case.call.target, case.tool.pin):
                    case.tool = case.tool.as_changed()
            except Exception as error:  # noqa: BLE001 - of this call alone
                self._fail(case, error)

    def _note(self, listed: Sequence[Sighting], cases: Sequence[Answered]) -> None:
        """Note sightings; when that fails, the calls of the tools concerned are denied."""
        try:
            self.drift.note(listed)
        except Exception as error:  # noqa: BLE001 - of the calls of these tools alone
            changed = {(sighting.server, sighting.tool) for sighting in listed}
            for case in cases:
                if (case.call.server, case.call.target) in changed:
                    self._fail(case, error)

    async def _query(
        self, cases: Sequence[Answered]
    ) -> list[tuple[Sequence[Answered], BatchAnswer]]:
        """Send one query for all; when one call fails it, query each alone, so that a slow one delays none."""
        if not cases:
            return []
        inputs = [
            with_known_answer(case.read) if case.yaml_answer is not None else case.read
            for case in cases
        ]
        try:
            answer = await self.engine.ask(inputs)
            if answer.one_by_one and len(cases) > 1:
                return _each(cases, await self.engine.ask_each(inputs))
            _check_count(answer, len(cases))
        except Exception as error:  # noqa: BLE001 - it may be the fault of one call
            if len(cases) == 1:
                self._fail(cases[0], error)
                return []
            self.unexpected(error)
            return [pair for case in cases for pair in await self._query([case])]
        return [(cases, answer)]

    def _fail(self, case: Answered, error: Exception) -> None:
        case.fail(error)
        self.unexpected(error)


def _each(
    cases: Sequence[Answered], answers: Sequence[BatchAnswer]
) -> list[tuple[Sequence[Answered], BatchAnswer]]:
    for answer in answers:
        _check_count(answer, 1)
    return [([case], answer) for case, answer in zip(cases, answers, strict=True)]


def _check_count(answer: BatchAnswer, count: int) -> None:
    if len(answer.answers) != count:
        raise ValueError(f"{len(answer.answers)} answers to {count} calls")


def _is_fault(answer: BatchAnswer) -> bool:
    """Whether the answer is a fault, so that no revision has answered."""
    return not answer.revision and all(isinstance(each, Fault) for each in answer.answers)


def _deny(batch: Sequence[Answered], fault: Fault) -> None:
    for case in batch:
        case.answer = fault

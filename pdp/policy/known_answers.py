"""The answers of the policy that are known already, by what rules read of a call. Pure.

Theory: rules are pure functions of their input and of the data of one revision; no built-in function that
they may use depends on anything else (`rego/capabilities.json`). So two calls that agree in everything that
the rules read have the same answer. Kept are answers of the revision in force only, and never faults, nor
answers that hold a call, so that people are asked about nothing from memory. Limits, checks, approvals
and records are no part of an answer, and happen for every call.

The answer to a call about which the rules of the site are silent follows from the YAML rules alone. It is
known to every call that agrees in what those read; only whether the site is silent is asked then.
"""

from __future__ import annotations

from collections import OrderedDict

from pdp.answer import Fault, PolicyAnswer
from pdp.api.model import Effect

# A longer question is rare, and would take the place of many.
_LONGEST_QUESTION = 4096


class KnownAnswers:
    """At most `most` answers; the one that was not used for the longest time gives way."""

    def __init__(self, most: int) -> None:
        """Know nothing yet; with 0 nothing is ever known."""
        self._most = most
        self._revision = ""
        self._answers: OrderedDict[bytes, PolicyAnswer] = OrderedDict()
        self.questions = self.hits = 0

    def get(self, revision: str, question: bytes) -> PolicyAnswer | None:
        """The answer of `revision` to `question`, or `None`."""
        answer = self._answers.get(question) if revision == self._revision else None
        if answer is not None:
            self._answers.move_to_end(question)
        return answer

    def put(self, revision: str, question: bytes, answer: PolicyAnswer | Fault) -> None:
        """Keep the answer of `revision`, which is in force; answers of another revision are forgotten."""
        if revision != self._revision:
            self._answers.clear()
            self._revision = revision
        if isinstance(answer, Fault) or answer.effect is Effect.HOLD:
            return
        if len(question) > _LONGEST_QUESTION:
            return
        self._answers[question] = answer
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)

    def forget(self) -> None:
        """Forget every answer, as when the engine has ended: without an engine nothing is allowed."""
        self._answers.clear()

"""The errors of the decision service, as one tree.

    PdpError
    ├── ConfigError        the configuration cannot be used                 (the operator's fault)
    ├── PolicyTextError    a rule file cannot be loaded                     (the author's fault)
    ├── RequestError       a request is not a proper call                   (the caller's fault)
    ├── AnswerError        a person's answer to a held call does not count    (the person's fault)
    ├── ApprovalOverload   too many calls wait for people                   (the caller's fault)
    ├── Overloaded         more calls are waiting than can be judged soon   (ours)
    ├── ListNotJudged      an entry of a list cannot be judged now          (ours)
    ├── SidecarError       OPA cannot be started                            (ours)
    ├── RecordError        a line is no record that can be judged again     (the caller's fault)
    ├── StoreError         the store of limits or approvals did not answer  (ours)
    └── JournalError       a record could not be written                    (ours)

Each class has a stable `code`; `status.py` maps each to a gRPC status, in one table.
"""

from __future__ import annotations

from typing import ClassVar


class PdpError(Exception):
    """The root of the tree; never raised itself."""

    code: ClassVar[str] = "internal"


class ConfigError(PdpError):
    """The configuration cannot be used; the message says where and what to do."""

    code = "config_invalid"


class PolicyTextError(PdpError):
    """A rule file cannot be loaded; the message says file, line, key and what to do."""

    code = "policy_text_invalid"


class RequestError(PdpError):
    """A request is not a proper call. `field` names what is wrong with it."""

    code = "request_invalid"

    def __init__(self, field: str, description: str) -> None:
        """Keep what a `google.rpc.BadRequest` violation needs."""
        super().__init__(f"{field}: {description}")
        self.field = field
        self.description = description


class AnswerError(PdpError):
    """A person's answer to a held call does not count; the message says why.

    `reason` is the stable name of the cause, as in `google.rpc.ErrorInfo`.
    """

    code = "answer_invalid"

    def __init__(self, reason: str, description: str) -> None:
        """Keep the cause."""
        super().__init__(description)
        self.reason = reason


class ApprovalOverload(PdpError):
    """More calls are held than people can be asked about."""

    code = "approval_overload"


class Overloaded(PdpError):
    """More calls are waiting than can be judged soon."""

    code = "overloaded"


class ListNotJudged(PdpError):
    """An entry of a list cannot be judged now; the message says why."""

    code = "list_not_judged"


class RecordError(PdpError):
    """A line is no record of a call that can be judged again; the message says why."""

    code = "record_invalid"


class SidecarError(PdpError):
    """OPA cannot be started."""

    code = "sidecar_failed"


class StoreError(PdpError):
    """The store of limits or of approvals did not answer."""

    code = "rate_limit_unavailable"


class JournalError(PdpError):
    """A record could not be written."""

    code = "journal_unavailable"

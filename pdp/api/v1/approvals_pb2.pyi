from pdp.api.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApprovalState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPROVAL_STATE_UNSPECIFIED: _ClassVar[ApprovalState]
    APPROVAL_STATE_PENDING: _ClassVar[ApprovalState]
    APPROVAL_STATE_GRANTED: _ClassVar[ApprovalState]
    APPROVAL_STATE_REFUSED: _ClassVar[ApprovalState]
    APPROVAL_STATE_EXPIRED: _ClassVar[ApprovalState]
    APPROVAL_STATE_WITHDRAWN: _ClassVar[ApprovalState]
    APPROVAL_STATE_USED: _ClassVar[ApprovalState]
    APPROVAL_STATE_LAPSED: _ClassVar[ApprovalState]
    APPROVAL_STATE_VOID: _ClassVar[ApprovalState]
    APPROVAL_STATE_UNKNOWN: _ClassVar[ApprovalState]
APPROVAL_STATE_UNSPECIFIED: ApprovalState
APPROVAL_STATE_PENDING: ApprovalState
APPROVAL_STATE_GRANTED: ApprovalState
APPROVAL_STATE_REFUSED: ApprovalState
APPROVAL_STATE_EXPIRED: ApprovalState
APPROVAL_STATE_WITHDRAWN: ApprovalState
APPROVAL_STATE_USED: ApprovalState
APPROVAL_STATE_LAPSED: ApprovalState
APPROVAL_STATE_VOID: ApprovalState
APPROVAL_STATE_UNKNOWN: ApprovalState

class Approver(_message.Message):
    __slots__ = ("id", "groups", "method")
    ID_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    id: str
    groups: _containers.RepeatedScalarFieldContainer[str]
    method: str
    def __init__(self, id: _Optional[str] = ..., groups: _Optional[_Iterable[str]] = ..., method: _Optional[str] = ...) -> None: ...

class ApprovalTerms(_message.Message):
    __slots__ = ("rule", "reason", "approvers", "count", "not_self", "decide_within", "use_within", "note", "standing_max", "standing_match")
    RULE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    NOT_SELF_FIELD_NUMBER: _ClassVar[int]
    DECIDE_WITHIN_FIELD_NUMBER: _ClassVar[int]
    USE_WITHIN_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    STANDING_MAX_FIELD_NUMBER: _ClassVar[int]
    STANDING_MATCH_FIELD_NUMBER: _ClassVar[int]
    rule: str
    reason: _types_pb2.Reason
    approvers: _containers.RepeatedScalarFieldContainer[str]
    count: int
    not_self: bool
    decide_within: int
    use_within: int
    note: str
    standing_max: int
    standing_match: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rule: _Optional[str] = ..., reason: _Optional[_Union[_types_pb2.Reason, _Mapping]] = ..., approvers: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ..., not_self: _Optional[bool] = ..., decide_within: _Optional[int] = ..., use_within: _Optional[int] = ..., note: _Optional[str] = ..., standing_max: _Optional[int] = ..., standing_match: _Optional[_Iterable[str]] = ...) -> None: ...

class ApprovalAnswer(_message.Message):
    __slots__ = ("by", "method", "at_ms", "is_grant", "note", "is_self")
    BY_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    IS_GRANT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    IS_SELF_FIELD_NUMBER: _ClassVar[int]
    by: str
    method: str
    at_ms: int
    is_grant: bool
    note: str
    is_self: bool
    def __init__(self, by: _Optional[str] = ..., method: _Optional[str] = ..., at_ms: _Optional[int] = ..., is_grant: _Optional[bool] = ..., note: _Optional[str] = ..., is_self: _Optional[bool] = ...) -> None: ...

class HeldCall(_message.Message):
    __slots__ = ("id", "state", "digest", "server", "method", "target", "arguments_json", "principal", "human", "client", "category", "risk", "definition_digest", "revision", "terms", "decision_id", "created_at_ms", "ends_at_ms", "changed_at_ms", "answers", "waiting", "joined", "is_standing", "uses", "limits", "confidence", "used_by")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    HUMAN_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_MS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    JOINED_FIELD_NUMBER: _ClassVar[int]
    IS_STANDING_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    USED_BY_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: ApprovalState
    digest: str
    server: str
    method: str
    target: str
    arguments_json: bytes
    principal: _types_pb2.Principal
    human: str
    client: _types_pb2.Client
    category: str
    risk: str
    definition_digest: str
    revision: str
    terms: _containers.RepeatedCompositeFieldContainer[ApprovalTerms]
    decision_id: str
    created_at_ms: int
    ends_at_ms: int
    changed_at_ms: int
    answers: _containers.RepeatedCompositeFieldContainer[ApprovalAnswer]
    waiting: int
    joined: int
    is_standing: bool
    uses: int
    limits: _containers.RepeatedCompositeFieldContainer[_types_pb2.LimitResult]
    confidence: float
    used_by: str
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[ApprovalState, str]] = ..., digest: _Optional[str] = ..., server: _Optional[str] = ..., method: _Optional[str] = ..., target: _Optional[str] = ..., arguments_json: _Optional[bytes] = ..., principal: _Optional[_Union[_types_pb2.Principal, _Mapping]] = ..., human: _Optional[str] = ..., client: _Optional[_Union[_types_pb2.Client, _Mapping]] = ..., category: _Optional[str] = ..., risk: _Optional[str] = ..., definition_digest: _Optional[str] = ..., revision: _Optional[str] = ..., terms: _Optional[_Iterable[_Union[ApprovalTerms, _Mapping]]] = ..., decision_id: _Optional[str] = ..., created_at_ms: _Optional[int] = ..., ends_at_ms: _Optional[int] = ..., changed_at_ms: _Optional[int] = ..., answers: _Optional[_Iterable[_Union[ApprovalAnswer, _Mapping]]] = ..., waiting: _Optional[int] = ..., joined: _Optional[int] = ..., is_standing: _Optional[bool] = ..., uses: _Optional[int] = ..., limits: _Optional[_Iterable[_Union[_types_pb2.LimitResult, _Mapping]]] = ..., confidence: _Optional[float] = ..., used_by: _Optional[str] = ...) -> None: ...

class ApprovalServiceListRequest(_message.Message):
    __slots__ = ("state", "server", "principal", "page_size")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    state: ApprovalState
    server: str
    principal: str
    page_size: int
    def __init__(self, state: _Optional[_Union[ApprovalState, str]] = ..., server: _Optional[str] = ..., principal: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ApprovalServiceListResponse(_message.Message):
    __slots__ = ("calls", "truncated", "pending")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[HeldCall]
    truncated: bool
    pending: int
    def __init__(self, calls: _Optional[_Iterable[_Union[HeldCall, _Mapping]]] = ..., truncated: _Optional[bool] = ..., pending: _Optional[int] = ...) -> None: ...

class ApprovalServiceGetRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class ApprovalServiceGetResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: HeldCall
    def __init__(self, call: _Optional[_Union[HeldCall, _Mapping]] = ...) -> None: ...

class ApprovalServiceGrantRequest(_message.Message):
    __slots__ = ("id", "digest", "approver", "note", "standing_seconds")
    ID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    APPROVER_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    STANDING_SECONDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    digest: str
    approver: Approver
    note: str
    standing_seconds: int
    def __init__(self, id: _Optional[str] = ..., digest: _Optional[str] = ..., approver: _Optional[_Union[Approver, _Mapping]] = ..., note: _Optional[str] = ..., standing_seconds: _Optional[int] = ...) -> None: ...

class ApprovalServiceGrantResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: HeldCall
    def __init__(self, call: _Optional[_Union[HeldCall, _Mapping]] = ...) -> None: ...

class ApprovalServiceRefuseRequest(_message.Message):
    __slots__ = ("id", "digest", "approver", "note")
    ID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    APPROVER_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    id: str
    digest: str
    approver: Approver
    note: str
    def __init__(self, id: _Optional[str] = ..., digest: _Optional[str] = ..., approver: _Optional[_Union[Approver, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...

class ApprovalServiceRefuseResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: HeldCall
    def __init__(self, call: _Optional[_Union[HeldCall, _Mapping]] = ...) -> None: ...

class ApprovalServiceWithdrawRequest(_message.Message):
    __slots__ = ("id", "approver", "note")
    ID_FIELD_NUMBER: _ClassVar[int]
    APPROVER_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    id: str
    approver: Approver
    note: str
    def __init__(self, id: _Optional[str] = ..., approver: _Optional[_Union[Approver, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...

class ApprovalServiceWithdrawResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: HeldCall
    def __init__(self, call: _Optional[_Union[HeldCall, _Mapping]] = ...) -> None: ...

class ApprovalServiceWatchRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ApprovalServiceWatchResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: HeldCall
    def __init__(self, call: _Optional[_Union[HeldCall, _Mapping]] = ...) -> None: ...

from pdp.api.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DecideRequest(_message.Message):
    __slots__ = ("request_id", "server", "method", "target", "arguments_json", "principal", "session", "client", "protocol", "transport", "phase", "is_retry", "trace_id", "direction", "definition_digest", "reference", "approval_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    IS_RETRY_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    server: str
    method: str
    target: str
    arguments_json: bytes
    principal: _types_pb2.Principal
    session: _types_pb2.Session
    client: _types_pb2.Client
    protocol: _types_pb2.Protocol
    transport: str
    phase: _types_pb2.Phase
    is_retry: bool
    trace_id: str
    direction: _types_pb2.Direction
    definition_digest: str
    reference: _types_pb2.Reference
    approval_id: str
    def __init__(self, request_id: _Optional[str] = ..., server: _Optional[str] = ..., method: _Optional[str] = ..., target: _Optional[str] = ..., arguments_json: _Optional[bytes] = ..., principal: _Optional[_Union[_types_pb2.Principal, _Mapping]] = ..., session: _Optional[_Union[_types_pb2.Session, _Mapping]] = ..., client: _Optional[_Union[_types_pb2.Client, _Mapping]] = ..., protocol: _Optional[_Union[_types_pb2.Protocol, _Mapping]] = ..., transport: _Optional[str] = ..., phase: _Optional[_Union[_types_pb2.Phase, str]] = ..., is_retry: _Optional[bool] = ..., trace_id: _Optional[str] = ..., direction: _Optional[_Union[_types_pb2.Direction, str]] = ..., definition_digest: _Optional[str] = ..., reference: _Optional[_Union[_types_pb2.Reference, str]] = ..., approval_id: _Optional[str] = ...) -> None: ...

class DecideResponse(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: _types_pb2.Decision
    def __init__(self, decision: _Optional[_Union[_types_pb2.Decision, _Mapping]] = ...) -> None: ...

class BatchDecideRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[DecideRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[DecideRequest, _Mapping]]] = ...) -> None: ...

class BatchDecideResponse(_message.Message):
    __slots__ = ("responses",)
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    responses: _containers.RepeatedCompositeFieldContainer[DecideResponse]
    def __init__(self, responses: _Optional[_Iterable[_Union[DecideResponse, _Mapping]]] = ...) -> None: ...

class StreamDecideRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[StreamItem]
    def __init__(self, items: _Optional[_Iterable[_Union[StreamItem, _Mapping]]] = ...) -> None: ...

class StreamItem(_message.Message):
    __slots__ = ("item_id", "request")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    item_id: int
    request: DecideRequest
    def __init__(self, item_id: _Optional[int] = ..., request: _Optional[_Union[DecideRequest, _Mapping]] = ...) -> None: ...

class StreamDecideResponse(_message.Message):
    __slots__ = ("replies",)
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    replies: _containers.RepeatedCompositeFieldContainer[StreamReply]
    def __init__(self, replies: _Optional[_Iterable[_Union[StreamReply, _Mapping]]] = ...) -> None: ...

class StreamReply(_message.Message):
    __slots__ = ("item_id", "decision", "failure")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    item_id: int
    decision: _types_pb2.Decision
    failure: Failure
    def __init__(self, item_id: _Optional[int] = ..., decision: _Optional[_Union[_types_pb2.Decision, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class FilterListRequest(_message.Message):
    __slots__ = ("request", "entries")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    request: DecideRequest
    entries: _containers.RepeatedCompositeFieldContainer[ListEntry]
    def __init__(self, request: _Optional[_Union[DecideRequest, _Mapping]] = ..., entries: _Optional[_Iterable[_Union[ListEntry, _Mapping]]] = ...) -> None: ...

class ListEntry(_message.Message):
    __slots__ = ("target", "definition_digest")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    target: str
    definition_digest: str
    def __init__(self, target: _Optional[str] = ..., definition_digest: _Optional[str] = ...) -> None: ...

class FilterListResponse(_message.Message):
    __slots__ = ("hidden",)
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    hidden: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, hidden: _Optional[_Iterable[int]] = ...) -> None: ...

class RefundRequest(_message.Message):
    __slots__ = ("decision_id",)
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    def __init__(self, decision_id: _Optional[str] = ...) -> None: ...

class RefundResponse(_message.Message):
    __slots__ = ("refunded",)
    REFUNDED_FIELD_NUMBER: _ClassVar[int]
    refunded: bool
    def __init__(self, refunded: _Optional[bool] = ...) -> None: ...

class FinishRequest(_message.Message):
    __slots__ = ("decision_id", "answer_lost")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWER_LOST_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    answer_lost: bool
    def __init__(self, decision_id: _Optional[str] = ..., answer_lost: _Optional[bool] = ...) -> None: ...

class FinishResponse(_message.Message):
    __slots__ = ("freed",)
    FREED_FIELD_NUMBER: _ClassVar[int]
    freed: bool
    def __init__(self, freed: _Optional[bool] = ...) -> None: ...

class AwaitApprovalRequest(_message.Message):
    __slots__ = ("approval_id", "wait_ms")
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    approval_id: str
    wait_ms: int
    def __init__(self, approval_id: _Optional[str] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class AwaitApprovalResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: _types_pb2.Approval
    def __init__(self, approval: _Optional[_Union[_types_pb2.Approval, _Mapping]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: DecideRequest
    def __init__(self, request: _Optional[_Union[DecideRequest, _Mapping]] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("decision", "fault")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    decision: _types_pb2.Decision
    fault: str
    def __init__(self, decision: _Optional[_Union[_types_pb2.Decision, _Mapping]] = ..., fault: _Optional[str] = ...) -> None: ...

class ReportRequest(_message.Message):
    __slots__ = ("request", "reason")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request: DecideRequest
    reason: _types_pb2.Reason
    def __init__(self, request: _Optional[_Union[DecideRequest, _Mapping]] = ..., reason: _Optional[_Union[_types_pb2.Reason, _Mapping]] = ...) -> None: ...

class ReportResponse(_message.Message):
    __slots__ = ("decision_id",)
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    def __init__(self, decision_id: _Optional[str] = ...) -> None: ...

from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Effect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECT_UNSPECIFIED: _ClassVar[Effect]
    EFFECT_ALLOW: _ClassVar[Effect]
    EFFECT_DENY: _ClassVar[Effect]
    EFFECT_HOLD: _ClassVar[Effect]

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_UNSPECIFIED: _ClassVar[Phase]
    PHASE_CALL: _ClassVar[Phase]
    PHASE_LIST: _ClassVar[Phase]

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_UNSPECIFIED: _ClassVar[Direction]
    DIRECTION_TO_SERVER: _ClassVar[Direction]
    DIRECTION_TO_CLIENT: _ClassVar[Direction]

class Reference(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFERENCE_UNSPECIFIED: _ClassVar[Reference]
    REFERENCE_PROMPT: _ClassVar[Reference]
    REFERENCE_RESOURCE: _ClassVar[Reference]
EFFECT_UNSPECIFIED: Effect
EFFECT_ALLOW: Effect
EFFECT_DENY: Effect
EFFECT_HOLD: Effect
PHASE_UNSPECIFIED: Phase
PHASE_CALL: Phase
PHASE_LIST: Phase
DIRECTION_UNSPECIFIED: Direction
DIRECTION_TO_SERVER: Direction
DIRECTION_TO_CLIENT: Direction
REFERENCE_UNSPECIFIED: Reference
REFERENCE_PROMPT: Reference
REFERENCE_RESOURCE: Reference

class Principal(_message.Message):
    __slots__ = ("id", "kind", "claims_json")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_JSON_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    claims_json: bytes
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ..., claims_json: _Optional[bytes] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("id", "kind")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ...) -> None: ...

class Client(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class Protocol(_message.Message):
    __slots__ = ("era", "version")
    ERA_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    era: str
    version: str
    def __init__(self, era: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Obligation(_message.Message):
    __slots__ = ("type", "properties_json")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_JSON_FIELD_NUMBER: _ClassVar[int]
    type: str
    properties_json: bytes
    def __init__(self, type: _Optional[str] = ..., properties_json: _Optional[bytes] = ...) -> None: ...

class LimitResult(_message.Message):
    __slots__ = ("name", "scope", "max", "window_seconds", "cost", "remaining", "passed", "retry_after_ms", "shadow", "algorithm")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    WINDOW_SECONDS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    name: str
    scope: str
    max: int
    window_seconds: int
    cost: int
    remaining: int
    passed: bool
    retry_after_ms: int
    shadow: bool
    algorithm: str
    def __init__(self, name: _Optional[str] = ..., scope: _Optional[str] = ..., max: _Optional[int] = ..., window_seconds: _Optional[int] = ..., cost: _Optional[int] = ..., remaining: _Optional[int] = ..., passed: _Optional[bool] = ..., retry_after_ms: _Optional[int] = ..., shadow: _Optional[bool] = ..., algorithm: _Optional[str] = ...) -> None: ...

class ShadowFinding(_message.Message):
    __slots__ = ("effect", "reason", "rule")
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    effect: Effect
    reason: Reason
    rule: str
    def __init__(self, effect: _Optional[_Union[Effect, str]] = ..., reason: _Optional[_Union[Reason, _Mapping]] = ..., rule: _Optional[str] = ...) -> None: ...

class Appearance(_message.Message):
    __slots__ = ("effect", "reason", "rule")
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    effect: Effect
    reason: Reason
    rule: str
    def __init__(self, effect: _Optional[_Union[Effect, str]] = ..., reason: _Optional[_Union[Reason, _Mapping]] = ..., rule: _Optional[str] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("id", "state", "expires_in_ms", "approvers", "hold_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_MS_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    HOLD_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: str
    expires_in_ms: int
    approvers: _containers.RepeatedScalarFieldContainer[str]
    hold_ms: int
    def __init__(self, id: _Optional[str] = ..., state: _Optional[str] = ..., expires_in_ms: _Optional[int] = ..., approvers: _Optional[_Iterable[str]] = ..., hold_ms: _Optional[int] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("decision_id", "effect", "reason", "rule", "revision", "hidden", "limits", "obligations", "shadow", "retry_after_ms", "approval", "appearance")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    OBLIGATIONS_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    APPEARANCE_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    effect: Effect
    reason: Reason
    rule: str
    revision: str
    hidden: bool
    limits: _containers.RepeatedCompositeFieldContainer[LimitResult]
    obligations: _containers.RepeatedCompositeFieldContainer[Obligation]
    shadow: _containers.RepeatedCompositeFieldContainer[ShadowFinding]
    retry_after_ms: int
    approval: Approval
    appearance: Appearance
    def __init__(self, decision_id: _Optional[str] = ..., effect: _Optional[_Union[Effect, str]] = ..., reason: _Optional[_Union[Reason, _Mapping]] = ..., rule: _Optional[str] = ..., revision: _Optional[str] = ..., hidden: _Optional[bool] = ..., limits: _Optional[_Iterable[_Union[LimitResult, _Mapping]]] = ..., obligations: _Optional[_Iterable[_Union[Obligation, _Mapping]]] = ..., shadow: _Optional[_Iterable[_Union[ShadowFinding, _Mapping]]] = ..., retry_after_ms: _Optional[int] = ..., approval: _Optional[_Union[Approval, _Mapping]] = ..., appearance: _Optional[_Union[Appearance, _Mapping]] = ...) -> None: ...

from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CounterFilter(_message.Message):
    __slots__ = ("name", "principal", "session")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    principal: str
    session: str
    def __init__(self, name: _Optional[str] = ..., principal: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class LimitServiceListRequest(_message.Message):
    __slots__ = ("filter",)
    FILTER_FIELD_NUMBER: _ClassVar[int]
    filter: CounterFilter
    def __init__(self, filter: _Optional[_Union[CounterFilter, _Mapping]] = ...) -> None: ...

class Counter(_message.Message):
    __slots__ = ("name", "scope", "window_seconds", "algorithm", "shadow", "subject", "used", "free_in_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    FREE_IN_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    scope: str
    window_seconds: int
    algorithm: str
    shadow: bool
    subject: _containers.RepeatedScalarFieldContainer[str]
    used: int
    free_in_ms: int
    def __init__(self, name: _Optional[str] = ..., scope: _Optional[str] = ..., window_seconds: _Optional[int] = ..., algorithm: _Optional[str] = ..., shadow: _Optional[bool] = ..., subject: _Optional[_Iterable[str]] = ..., used: _Optional[int] = ..., free_in_ms: _Optional[int] = ...) -> None: ...

class LimitServiceListResponse(_message.Message):
    __slots__ = ("counters", "truncated")
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    counters: _containers.RepeatedCompositeFieldContainer[Counter]
    truncated: bool
    def __init__(self, counters: _Optional[_Iterable[_Union[Counter, _Mapping]]] = ..., truncated: _Optional[bool] = ...) -> None: ...

class LimitServiceResetRequest(_message.Message):
    __slots__ = ("filter",)
    FILTER_FIELD_NUMBER: _ClassVar[int]
    filter: CounterFilter
    def __init__(self, filter: _Optional[_Union[CounterFilter, _Mapping]] = ...) -> None: ...

class LimitServiceResetResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

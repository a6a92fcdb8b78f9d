from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("revision", "age_seconds", "last_error", "ready", "stale", "questions", "known_answers")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    revision: str
    age_seconds: float
    last_error: str
    ready: bool
    stale: bool
    questions: int
    known_answers: int
    def __init__(self, revision: _Optional[str] = ..., age_seconds: _Optional[float] = ..., last_error: _Optional[str] = ..., ready: _Optional[bool] = ..., stale: _Optional[bool] = ..., questions: _Optional[int] = ..., known_answers: _Optional[int] = ...) -> None: ...

class CatalogRequest(_message.Message):
    __slots__ = ("server",)
    SERVER_FIELD_NUMBER: _ClassVar[int]
    server: str
    def __init__(self, server: _Optional[str] = ...) -> None: ...

class CatalogTool(_message.Message):
    __slots__ = ("server", "tool", "category", "risk", "confidence", "marks", "pinned", "changed", "digest", "seen_digest")
    SERVER_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SEEN_DIGEST_FIELD_NUMBER: _ClassVar[int]
    server: str
    tool: str
    category: str
    risk: str
    confidence: float
    marks: _containers.RepeatedScalarFieldContainer[str]
    pinned: bool
    changed: bool
    digest: str
    seen_digest: str
    def __init__(self, server: _Optional[str] = ..., tool: _Optional[str] = ..., category: _Optional[str] = ..., risk: _Optional[str] = ..., confidence: _Optional[float] = ..., marks: _Optional[_Iterable[str]] = ..., pinned: _Optional[bool] = ..., changed: _Optional[bool] = ..., digest: _Optional[str] = ..., seen_digest: _Optional[str] = ...) -> None: ...

class CatalogResponse(_message.Message):
    __slots__ = ("tools",)
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    tools: _containers.RepeatedCompositeFieldContainer[CatalogTool]
    def __init__(self, tools: _Optional[_Iterable[_Union[CatalogTool, _Mapping]]] = ...) -> None: ...

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("revision", "age_seconds", "last_error", "ready")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    revision: str
    age_seconds: float
    last_error: str
    ready: bool
    def __init__(self, revision: _Optional[str] = ..., age_seconds: _Optional[float] = ..., last_error: _Optional[str] = ..., ready: _Optional[bool] = ...) -> None: ...

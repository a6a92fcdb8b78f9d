from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class RecordServiceWatchRequest(_message.Message):
    __slots__ = ("run", "number")
    RUN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    run: str
    number: int
    def __init__(self, run: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class RecordServiceWatchResponse(_message.Message):
    __slots__ = ("lines", "run", "number", "missed")
    LINES_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    lines: bytes
    run: str
    number: int
    missed: int
    def __init__(self, lines: _Optional[bytes] = ..., run: _Optional[str] = ..., number: _Optional[int] = ..., missed: _Optional[int] = ...) -> None: ...

"""The process of a server over stdio: started, written to, read, and ended for certain.

Edge. The process leads a group of its own, so that all that it starts ends with it; on Linux the
kernel ends it when this process is killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import structlog

from pep.mcp.lines import LineSplitter
from pep.ports import LostError, NeverReachedError
from tipstaff.common import child_process
from tipstaff.common.lifelong import heard

_PATIENCE_SECONDS = 2.0
_PIECE = 64 * 1024
_LONGEST_NOTE = 2000
_MOST_NOTES = 20
# Bytes that are read after its end, since another process may write to its pipe for ever.
_LAST_PIECES = 256
# A child's messages take 5 ms of any tenth of a second, or a fifth of the time.
_WINDOW_SECONDS = 0.1
_TURN_SECONDS = 0.005
_REST = 4

log = structlog.get_logger("pep.child")


class Pace:
    """Bounds the share of time that one child's messages take, so that they hold up no other child."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is a monotonic clock."""
        self._now = now
        self._began = self._window = now()
        self._spent = 0.0

    def begin(self) -> None:
        """Begin a piece of work."""
        self._began = self._now()
        if self._began - self._window > _WINDOW_SECONDS:
            self._window, self._spent = self._began, 0.0

    async def end(self) -> None:
        """End the piece of work: after much work, other children have their turn."""
        self._spent += self._now() - self._began
        if self._spent > _TURN_SECONDS:
            await asyncio.sleep(self._spent * _REST)
            self._window, self._spent = self._now(), 0.0


class Child:
    """One process of a server."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        """See `start`."""
        self._name = name
        self._process = process
        self._writing = asyncio.Lock()
        noting = asyncio.ensure_future(self._note()) if process.stderr else None
        self._noting = noting and heard("what a server says on stderr", noting)

    @property
    def pid(self) -> int:
        """The process id, which is also the group's."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, once the process has ended."""
        return self._process.returncode

    async def write(self, line: bytes) -> None:
        """Write one line, when the child has taken those before; raises `LostError` when it is gone.

        A write that is cancelled while it waits has written nothing: so no more than one line is ever
        held here for a child that does not read.
        """
        assert self._process.stdin is not None  # noqa: S101 - see `start`
        async with self._writing:
            try:
                await self._process.stdin.drain()
                self._process.stdin.write(line + b"\n")
            except (ConnectionError, RuntimeError) as error:
                raise LostError(f"the process of {self._name!r} has ended") from error

    async def lines(self) -> AsyncIterator[bytes | None]:
        """The child's lines as they come, until it ends; `None` for a line that is too long.

        A process that it has started may hold the pipe open: so the child's end counts, not the pipe's.
        """
        assert self._process.stdout is not None  # noqa: S101 - see `start`
        reader, lines = self._process.stdout, LineSplitter()
        ended, left = asyncio.ensure_future(child_process.exit_code(self._process)), _LAST_PIECES
        try:
            while left:
                reading = asyncio.ensure_future(reader.read(_PIECE))
                await asyncio.wait({reading, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    # The child may have written just before its end: that arrives within a moment.
                    await asyncio.wait({reading}, timeout=0.1)
                if not reading.done():
                    reading.cancel()
                    break
                chunk = reading.result()
                if not chunk:
                    break
                left -= ended.done()
                for line in lines.feed(chunk):
                    yield line
            for line in lines.end():
                yield line
        finally:
            ended.cancel()

    async def end(self) -> int:
        """End the child and all that it has started: close its input, signal, then kill; returns the exit code."""
        code = await child_process.end(self._process, patience=_PATIENCE_SECONDS, asks_group=True)
        if self._noting is not None:
            self._noting.cancel()
        return code

    async def _note(self) -> None:
        """Log the child's stderr; a pipe that is not emptied would stop the child."""
        assert self._process.stderr is not None  # noqa: S101 - asked for
        lines, pace = LineSplitter(_LONGEST_NOTE), Pace(asyncio.get_running_loop().time)
        while chunk := await self._process.stderr.read(_PIECE):
            pace.begin()
            notes = lines.feed(chunk)
            for line in notes[:_MOST_NOTES]:
                text = "(a long line)" if line is None else line.decode(errors="replace")
                log.info("server says", server=self._name, pid=self.pid, text=text)
            if len(notes) > _MOST_NOTES:
                more = len(notes) - _MOST_NOTES
                log.info("server says more", server=self._name, pid=self.pid, lines=more)
            await pace.end()


async def start(
    name: str, command: Sequence[str], environment: Mapping[str, str], *, keep_stderr: bool
) -> Child:
    """Start a server; raises `NeverReachedError`. `keep_stderr` logs its stderr."""
    fault = child_process.missing_program(command[0], environment.get("PATH"))
    # An interpreter of ours starts the program: a missing one would look like the server's own end.
    if fault:
        raise NeverReachedError(fault)
    try:
        process = await child_process.start(
            command,
            environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE if keep_stderr else None,
        )
    except OSError as error:
        raise NeverReachedError(f"cannot start {command[0]!r}: {error.strerror}") from error
    log.info("server started", server=name, pid=process.pid)
    return Child(name, process)

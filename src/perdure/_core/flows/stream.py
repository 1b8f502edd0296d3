"""Writing to a stream, in a workflow: handed to the journal, and not again by a replay. A step writes as it likes, and
begins anew with each attempt.
"""

from __future__ import annotations

from ..._streams import StreamRewound, StreamWritten
from ...errors import UsageError
from ..flow import Flow, Record, Write
from ..run import Run
from ..step_call import StepCall
from ..streams import Streams, source_of_step
from .turn import catch_up


def write(run: Run, name: str, source: str, value: object, *, is_instant: bool) -> Flow[None]:
    """Add a chunk, unless that was done before. `is_instant`: it blocks an event loop."""
    run.check_alive()
    stored, _ = run.serializer.accept(value, what=f"what is written to stream {name!r}")
    if (yield from is_to_be_written(run, name, source, is_instant=is_instant)):
        number = run.next_entry_id()
        yield Write(StreamWritten(run.run_id, run.claim, number, name, source, 0, stored.codec, [stored.text]))


def close(run: Run, name: str, source: str, *, is_instant: bool) -> Flow[None]:
    """Nothing more will be written."""
    run.check_alive()
    streams = streams_of(run)
    if streams.is_written(name, source) or name in streams.closed:
        return
    if run.is_behind:
        yield from catch_up(run, f"the end of stream {name}", "it", is_instant=is_instant)
    streams.closed.add(name)
    number = run.next_entry_id()
    yield Write(StreamWritten(run.run_id, run.claim, number, name, source, 0, "", [], is_closed=True))


def is_to_be_written(run: Run, name: str, source: str, *, is_instant: bool) -> Flow[bool]:
    """Whether the branch has not written this before; what is new comes after all that is recorded."""
    streams = streams_of(run)
    if streams.is_written(name, source):
        return False
    check_open(run, name)
    if run.is_behind:
        yield from catch_up(run, f"a chunk of stream {name}", "it", is_instant=is_instant)
    return True


def begin_anew(call: StepCall, number: int) -> Flow[None]:
    """Before an attempt: what those before it have written is void."""
    run, source = call.run, source_of_step(call.key)
    if run.streams is not None and run.streams.begins_anew(source):
        yield Record(StreamRewound(run.run_id, run.claim, run.next_entry_id(), source, number))


def streams_of(run: Run) -> Streams:
    """Of a run that writes to some, or has."""
    if run.streams is None:
        run.streams = Streams()
    run.has_said = True
    return run.streams


def check_open(run: Run, name: str) -> None:
    """Raise `UsageError` where the stream is closed."""
    if run.streams is not None and name in run.streams.closed:
        raise UsageError(f"stream {name!r} of run {run.run_id} is closed: write before close(), or to another stream")

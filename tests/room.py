"""One room for all tests: they share it, but for those that measure, which have it to themselves.

The processes of pytest-xdist meet here, and those of a second run of the tests as well. Both locks
are of what is there anyway, so that nothing is left behind; the kernel opens those of a process
that is ended.
"""

import contextlib
import fcntl
import os
from pathlib import Path

_DOOR = os.open(__file__, os.O_RDONLY)
_INSIDE = os.open(Path(__file__).parent, os.O_RDONLY)

_held = fcntl.LOCK_UN


def _change(how):
    global _held  # noqa: PLW0603 - a process is in the room once
    if how == _held:
        return
    fcntl.flock(_INSIDE, fcntl.LOCK_UN)  # first, since who stands in the door waits for it
    if how != fcntl.LOCK_UN:
        # Who waits to be alone keeps the door shut, and so need not wait for ever.
        fcntl.flock(_DOOR, fcntl.LOCK_EX)
        fcntl.flock(_INSIDE, how)
        fcntl.flock(_DOOR, fcntl.LOCK_UN)
    _held = how


@contextlib.contextmanager
def _held_as(how):
    before = _held
    _change(how)
    try:
        yield
    finally:
        _change(before)


def shared():
    """Be in the room with others."""
    return _held_as(fcntl.LOCK_SH)


def alone():
    """Wait until all others are at the door, and have them stay there."""
    return _held_as(fcntl.LOCK_EX)

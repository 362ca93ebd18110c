"""Calls whose peak is known beforehand: what the gauge itself is measured with."""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import tempfile
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable

#: Small enough to come from the heap, not from the system (glibc's M_MMAP_THRESHOLD: 128 KiB).
HEAP_BLOCK_BYTES = 64 * 1024

#: Large enough to come from the system at first, and from the heap once one was freed. When
#: threads free and fill at once, a block more may be in use; it has to be less than the promise.
THREAD_BLOCK_BYTES = 256 * 1024

#: joblib copies an array into its file in pieces of this size (`NumpyArrayWrapper.write_array`),
#: and the allocator keeps the last one.
JOBLIB_PIECE_MIB = 16

_MEETING_SECONDS = 60.0
_STEP_SECONDS = 0.001


@dataclass(frozen=True)
class Call:
    """A call to measure, its label for tables; ``tree`` tells whether it has worker processes."""

    label: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    tree: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Known(Call):
    """A call whose need is known."""

    peak_bytes: int
    #: Processes that it forks, each of which copies some pages of the interpreter.
    forks: int = field(default=0, kw_only=True)

    @property
    def bound_bytes(self) -> float:
        """How far the gauge may be from the truth: what this project promises."""
        if self.tree:
            return max(1.0 * MIB, 0.005 * self.peak_bytes)
        return max(0.6 * MIB, 0.001 * self.peak_bytes)


def nothing() -> None:
    """Need nothing."""


def hold(size_mib: int, seconds: float) -> None:
    """Fill a block and hold it for some time."""
    block = np.ones(size_mib * MIB, np.uint8)
    time.sleep(seconds)
    del block


def spike_in_work(size_mib: int, seconds: float) -> int:
    """Compute, hold a block for a moment, compute on."""
    total = sum(range(200_000))
    hold(size_mib, seconds)
    return total + sum(range(200_000))


def heap_again(size_mib: int) -> None:
    """Fill many small blocks: the heap gives out again what the warm-up call freed."""
    count = size_mib * MIB // HEAP_BLOCK_BYTES
    blocks = [np.ones(HEAP_BLOCK_BYTES, np.uint8) for _ in range(count)]
    del blocks


def heap_again_in_threads(size_mib: int) -> None:
    """Fill blocks in two threads at once, again and again: once freed, they come from a heap."""
    meeting = threading.Barrier(2, timeout=_MEETING_SECONDS)
    count = size_mib * MIB // THREAD_BLOCK_BYTES

    def fill() -> None:
        for _ in range(3):
            blocks = [np.ones(THREAD_BLOCK_BYTES, np.uint8) for _ in range(count)]
            meeting.wait()
            del blocks
            meeting.wait()

    threads = [threading.Thread(target=fill) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def untouched(size_mib: int) -> None:
    """Ask for memory and never touch it: the system gives none."""
    block = np.zeros(size_mib * MIB, np.uint8)
    time.sleep(0.01)
    del block


def two_workers(size_mib: int, seconds: float) -> None:
    """Hold a block in each of two workers at the same time."""
    _in_two_workers(_hold_together, size_mib, seconds)


def two_workers_map_a_file(path: str, seconds: float) -> None:
    """Read one file through a memory map in each of two workers at the same time."""
    _in_two_workers(_map_together, path, seconds)


def two_workers_share(size_mib: int, seconds: float) -> None:
    """Fill a block of shared memory and read it in two workers."""
    block = SharedMemory(create=True, size=size_mib * MIB)
    try:
        _bytes_of(block)[:] = 1
        _in_two_workers(_attach_together, block.name, seconds)
    finally:
        block.close()
        block.unlink()


def forks(count: int, size_mib: int, share: float, seconds: float, step_bytes: int = 0) -> None:
    """Let forks overwrite a share of a block, at once or by steps, and hold that together."""
    block = np.ones(size_mib * MIB, np.uint8)
    end = round(block.size * share)

    def work(meeting: Meeting) -> None:
        step = step_bytes or max(end, 1)
        for start in range(0, end, step):
            block[start : start + step] = 2
            time.sleep(_STEP_SECONDS if step_bytes else 0)
        meeting.attend()

    _hold_meeting(count, work, seconds)


def brief_fork(size_mib: int, seconds: float) -> None:
    """Let a fork overwrite a whole block and end soon after."""
    block = np.ones(size_mib * MIB, np.uint8)

    def work(meeting: Meeting) -> None:
        block.fill(2)
        time.sleep(seconds)
        meeting.attend()

    _hold_meeting(1, work, 0)


def pool(count: int, size_mib: int, share: float, seconds: float) -> None:
    """Let the processes of a pool, which are forks, overwrite a share of a block."""
    context = multiprocessing.get_context("fork")
    block = np.ones(size_mib * MIB, np.uint8)
    meeting = Meeting(context)
    state = (block[: round(block.size * share)], meeting)
    with context.Pool(count, _INHERITED.append, (state,)) as workers:
        waiting = workers.map_async(_overwrite, range(count), chunksize=1)
        meeting.end(count, seconds)
        waiting.get(_MEETING_SECONDS)


#: What a process of a pool was given when it was forked: it is not sent, which would copy it.
_INHERITED: list[Any] = []


def _overwrite(value: int) -> None:
    block, meeting = _INHERITED[-1]
    block.fill(value)
    meeting.attend()


class Meeting:
    """Forks wait here until all have come, and for some time after that."""

    def __init__(self, context: Any) -> None:
        self._come, self._leave = context.Semaphore(0), context.Event()

    def attend(self) -> None:
        """Come, and wait until the meeting has ended."""
        self._come.release()
        self._leave.wait(_MEETING_SECONDS)

    def end(self, count: int, seconds: float) -> None:
        """Wait until so many have come, hold them for some time, and let them go."""
        for _ in range(count):
            if not self._come.acquire(timeout=_MEETING_SECONDS):
                raise TimeoutError("a fork did not come to rest")
        time.sleep(seconds)
        self._leave.set()


def _hold_meeting(count: int, work: Callable[[Meeting], None], seconds: float) -> None:
    context = multiprocessing.get_context("fork")
    meeting = Meeting(context)
    processes = [context.Process(target=work, args=(meeting,)) for _ in range(count)]
    for process in processes:
        process.start()
    meeting.end(count, seconds)
    for process in processes:
        process.join()


def busy_workers(seconds: float) -> None:
    """Use the processor for so long in each of two workers."""
    _in_two_workers(_use_processor, seconds)


def pass_array(size_mib: int, seconds: float) -> None:
    """Hand an array to two workers: joblib writes it to a file that both map."""
    block = np.ones(size_mib * MIB, np.uint8)
    _in_two_workers(_read_together, block, seconds)
    del block


def _in_two_workers(function: Callable[..., None], *args: Any) -> None:
    from joblib import Parallel, delayed  # noqa: PLC0415 - half of the calls need no workers

    # The warm-up call starts the workers, so that the measured call does not.
    with tempfile.TemporaryDirectory() as meeting:
        Parallel(n_jobs=2)(delayed(function)(meeting, index, *args) for index in range(2))


def _use_processor(_meeting: str, _index: int, seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


def _hold_together(meeting: str, index: int, size_mib: int, seconds: float) -> None:
    block = np.ones(size_mib * MIB, np.uint8)
    _meet(meeting, index, "full")
    time.sleep(seconds)
    _meet(meeting, index, "done")
    del block


def _map_together(meeting: str, index: int, path: str, seconds: float) -> None:
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
        pages = np.frombuffer(view, np.uint8)[:: mmap.PAGESIZE]
        int(pages.sum(dtype=np.int64))
        _meet(meeting, index, "read")
        time.sleep(seconds)
        _meet(meeting, index, "done")
        del pages


def _attach_together(meeting: str, index: int, name: str, seconds: float) -> None:
    block = SharedMemory(name)
    try:
        _read_together(meeting, index, _bytes_of(block), seconds)
    finally:
        with contextlib.suppress(BufferError):  # the view lives until this frame is left
            block.close()


def _bytes_of(block: SharedMemory) -> Any:
    return np.ndarray((block.size,), np.uint8, block.buf)


def _read_together(meeting: str, index: int, block: Any, seconds: float) -> None:
    int(block[:: mmap.PAGESIZE].sum(dtype=np.int64))
    _meet(meeting, index, "read")
    time.sleep(seconds)
    _meet(meeting, index, "done")


def _meet(meeting: str, index: int, point: str) -> None:
    """Wait until both workers have reached a point: else nobody knows what is in use at once."""
    (Path(meeting) / f"{point} {index}").touch()
    _wait_for(meeting, f"{point} {1 - index}")


def _wait_for(meeting: str, name: str) -> None:
    deadline = time.monotonic() + _MEETING_SECONDS
    while not (Path(meeting) / name).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the other worker did not reach {name!r}")
        time.sleep(_STEP_SECONDS)


def handed(label: str, size_mib: int) -> Known:
    """Return the call that hands an array to two workers: it is there twice, and a piece."""
    peak_bytes = (2 * size_mib + JOBLIB_PIECE_MIB) * MIB
    return Known(label, pass_array, (size_mib, 0.1), peak_bytes, tree=True)

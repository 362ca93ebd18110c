"""Calls whose forks copy what they share, each of which reads at rest how much there is."""

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np

MIB = 1 << 20

#: Of the block that forks share.
SIZE_MIB = 200


def pss_bytes(*pids):
    """Return what processes hold, each page that they share counted once."""
    lines = [
        line
        for pid in pids
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    ]
    return 1024 * sum(int(line.split()[1]) for line in lines)


class Gathering:
    """Where forks wait for each other: the truth is read when all have come to rest."""

    def __init__(self, count):
        self.before = pss_bytes("self")
        self._context = multiprocessing.get_context("fork")
        self._arrived = self._context.Semaphore(0)
        self._leave = self._context.Event()
        self._count = count

    def arrive(self):
        self._arrived.release()
        self._leave.wait()

    def end(self, pids):
        for _ in range(self._count):
            self._arrived.acquire()
        time.sleep(0.2)
        at_rest = pss_bytes("self", *pids) - self.before
        time.sleep(0.05)
        self._leave.set()
        return at_rest


def forks(count, *, work):
    """Run something in forks that then wait; return what all hold at rest, in bytes."""
    gathering = Gathering(count)
    block = np.ones(SIZE_MIB * MIB, np.uint8)
    pids = []
    for _ in range(count):
        pid = os.fork()
        if not pid:
            work(block)
            gathering.arrive()
            os._exit(0)
        pids.append(pid)
    at_rest = gathering.end(pids)
    for pid in pids:
        os.waitpid(pid, 0)
    return at_rest


def half(block):
    block[: block.size // 2] = 2


def little_by_little(block):
    for start in range(0, block.size // 2, 64 * 1024):
        block[start : start + 64 * 1024] = 2
        time.sleep(0.001)


def parent_copies(_count):
    """Overwrite half of a block that a fork still shares."""
    gathering = Gathering(1)
    block = np.ones(SIZE_MIB * MIB, np.uint8)
    pid = os.fork()
    if not pid:
        gathering.arrive()
        os._exit(0)
    half(block)
    at_rest = gathering.end([pid])
    os.waitpid(pid, 0)
    return at_rest


def both_copy(_count):
    """Overwrite the same half in a fork and in its parent: the second copies nothing."""
    gathering = Gathering(1)
    block = np.ones(SIZE_MIB * MIB, np.uint8)
    pid = os.fork()
    if not pid:
        half(block)
        gathering.arrive()
        os._exit(0)
    half(block)
    at_rest = gathering.end([pid])
    os.waitpid(pid, 0)
    return at_rest


def processes(count):
    """Overwrite half in each of several processes of multiprocessing."""
    gathering = Gathering(count)
    block = np.ones(SIZE_MIB * MIB, np.uint8)
    context = multiprocessing.get_context("fork")

    def work():
        half(block)
        gathering.arrive()

    workers = [context.Process(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    at_rest = gathering.end([worker.pid for worker in workers])
    for worker in workers:
        worker.join()
    return at_rest


def grandchild(_count):
    """Overwrite half in a fork of a fork."""
    reading, writing = os.pipe()
    gathering = Gathering(1)
    block = np.ones(SIZE_MIB * MIB, np.uint8)
    pid = os.fork()
    if not pid:
        below = os.fork()
        if not below:
            half(block)
            gathering.arrive()
            os._exit(0)
        os.write(writing, str(below).encode())
        os.waitpid(below, 0)
        os._exit(0)
    at_rest = gathering.end([pid, int(os.read(reading, 20))])
    os.waitpid(pid, 0)
    return at_rest


def brief(_count):
    """Overwrite all in a fork that ends after 20 ms, as a twin did that was read at rest."""
    at_rest = forks(1, work=lambda block: block.fill(2))
    block = np.ones(SIZE_MIB * MIB, np.uint8)
    pid = os.fork()
    if not pid:
        block.fill(2)
        time.sleep(0.02)
        os._exit(0)
    os.waitpid(pid, 0)
    return at_rest

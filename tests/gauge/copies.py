"""Calls whose forks copy what they share, each of which reads at rest how much there is."""

import multiprocessing
import os
import time

import numpy as np
from pss import pss_bytes

MIB = 1 << 20

#: Of the block that forks share.
SIZE_MIB = 200


class Gathering:
    """Where forks wait for each other: the truth is read when all have come to rest."""

    def __init__(self, count):
        self.before = pss_bytes(os.getpid())
        self._context = multiprocessing.get_context("fork")
        self._arrived = self._context.Semaphore(0)
        self._leave = self._context.Event()
        self._count = count

    def arrive(self):
        self._arrived.release()
        self._leave.wait()

    def end(self):
        for _ in range(self._count):
            self._arrived.acquire()
        time.sleep(0.2)
        at_rest = pss_bytes(os.getpid()) - self.before
        time.sleep(0.05)
        self._leave.set()
        return at_rest


def forks(count, *, work=None, own_work=None):
    """Run something in forks that then wait, and here; return what all hold at rest, in bytes."""
    gathering = Gathering(count)
    block = np.ones(SIZE_MIB * MIB, np.uint8)
    pids = []
    for _ in range(count):
        pid = os.fork()
        if not pid:
            if work:
                work(block)
            gathering.arrive()
            os._exit(0)
        pids.append(pid)
    if own_work:
        own_work(block)
    at_rest = gathering.end()
    for pid in pids:
        os.waitpid(pid, 0)
    return at_rest


def half(block):
    block[: block.size // 2] = 2


def little_by_little(block):
    for start in range(0, block.size // 2, 64 * 1024):
        block[start : start + 64 * 1024] = 2
        time.sleep(0.001)


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
    at_rest = gathering.end()
    for worker in workers:
        worker.join()
    return at_rest


def grandchild(_count):
    """Overwrite half in a fork of a fork."""
    gathering = Gathering(1)
    block = np.ones(SIZE_MIB * MIB, np.uint8)
    pid = os.fork()
    if not pid:
        below = os.fork()
        if not below:
            half(block)
            gathering.arrive()
            os._exit(0)
        os.waitpid(below, 0)
        os._exit(0)
    at_rest = gathering.end()
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

"""Cgroups that the kernel enforces, made by tests where that is allowed."""

import contextlib
import os
import shutil
import signal
import time

from benchmarks.gauge import bounds, shared_memory


@contextlib.contextmanager
def cgroup(controller, texts):
    """Make a cgroup in ours, or in one above that lets us; raises OSError if none does."""
    refusal = FileNotFoundError(f"no cgroups ({controller or 'v2'})")
    for above in bounds.cgroups(controller):
        folder = above / f"fmri-bench-test-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError as error:
            refusal = error
            continue
        try:
            for name, text in texts.items():
                (folder / name).write_text(text)
        except OSError as error:
            refusal = error
            folder.rmdir()
            continue
        try:
            yield folder
        finally:
            _empty(folder)
            folder.rmdir()
        return
    raise refusal


def _empty(folder):
    """End what is left in a cgroup, such as workers of a process that the kernel ended."""
    until = time.monotonic() + 10
    while (left := (folder / "cgroup.procs").read_text().split()) and time.monotonic() < until:
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        time.sleep(0.05)


@contextlib.contextmanager
def limited(*hierarchies):
    """Make cgroups of the first of some hierarchies that can be had; raises OSError if none."""
    refusal = None
    for limits in hierarchies:
        with contextlib.ExitStack() as made:
            try:
                folders = [made.enter_context(cgroup(*limit)) for limit in limits.items()]
            except OSError as error:
                refusal = error
                continue
            yield folders
            return
    raise refusal


def command(folders, *words):
    """Return the words of a command that runs others in cgroups."""
    enter = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in folders)
    return ["/bin/sh", "-ec", f'{enter} exec "$@"', "sh", *map(str, words)]


def remove_what_workers_left(pid):
    """Remove what joblib shares among workers of a process, and its tracker, that was ended."""
    for pattern in (f"sem.loky-{pid}-*", f"joblib_memmapping_folder_{pid}_*"):
        for path in shared_memory.FOLDER.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

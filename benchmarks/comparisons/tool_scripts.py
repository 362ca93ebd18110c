"""What other tools say of a call, after one warm-up: memory beyond that before; each afresh."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cloudpickle

from benchmarks.errors import MethodError
from benchmarks.gauge import bounds
from benchmarks.results.store import locked
from benchmarks.runner.launch import environment
from benchmarks.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.runner.known_calls import Call

_MOST_SECONDS = 120

#: What is still in a cgroup is ended after this time: workers take a moment to end by themselves.
_ENDING_SECONDS = 5.0

#: Names of cgroups begin with this, so that one that was left is found.
CGROUP_PREFIX = "fmri-bench-peak-"

#: Where a cgroup counts memory: its controller, empty for cgroup v2; the peak, and what is in use.
_COUNTED = {
    "": ("memory.peak", "memory.current"),
    "memory": ("memory.max_usage_in_bytes", "memory.usage_in_bytes"),
}

_BEGIN = """
import json, os, pickle, sys
function, args, tree = pickle.loads(bytes.fromhex(os.environ["FMRI_BENCH_CALL"]))
def call():
    function(*args)
call()
def answer(number):
    print("\\n" + json.dumps({"answer": number}))
"""

_MEMORY_USAGE = """
from memory_profiler import memory_usage
choices = {"max_usage": True, "include_children": tree}
before = memory_usage(-1, **choices)
peak = memory_usage((call,), interval=0.001, **choices)
answer(peak - before)
"""

_PSUTIL = """
import psutil, threading, time
process, largest, stop = psutil.Process(), 0, threading.Event()
def resident():
    family = [process, *(process.children(recursive=True) if tree else [])]
    total = 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
def sample():
    global largest
    while not stop.is_set():
        largest = max(largest, resident())
        time.sleep(0.001)
before = resident()
thread = threading.Thread(target=sample)
thread.start()
call()
stop.set()
thread.join()
answer((largest - before) / 2**20)
"""

# Through exec, an interpreter inherits the highest memory of what started it. A fork has its own.
_FORKED = """
import os, sys
if pid := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

_MAXRSS = """
import resource
def largest():
    who = [resource.RUSAGE_SELF, *([resource.RUSAGE_CHILDREN] if tree else [])]
    return sum(resource.getrusage(one).ru_maxrss for one in who)
before = largest()
call()
answer((largest() - before) / 1024)
"""

# A job of a queue begins in a cgroup of its own, with nothing in it: neither what the warm-up call
# left to be used again, nor the file, which is charged to the cgroup that reads it first.
_CGROUP = """
import psutil
from benchmarks.errors import BenchmarkError
from benchmarks.gauge.conditions import give_back, make_cold
folder, peak, usage = json.loads(os.environ["FMRI_BENCH_CGROUP"])
def read(name):
    with open(os.path.join(folder, name)) as file:
        return int(file.read())
for path in [arg for arg in args if isinstance(arg, str) and os.path.isfile(arg)]:
    try:
        make_cold(path)
    except BenchmarkError as error:
        sys.exit(str(error))
give_back()
process = psutil.Process()
for member in [process, *process.children(recursive=True)]:
    with open(os.path.join(folder, "cgroup.procs"), "w") as file:
        file.write(str(member.pid))
before = read(usage)
call()
answer((read(peak) - before) / 2**20)
"""

# IPython itself, started as a reader would; the line it prints is read.
_MEMIT = """
get_ipython().run_line_magic("load_ext", "memory_profiler")
from IPython.utils.capture import capture_output
with capture_output() as printed:
    get_ipython().run_line_magic("memit", "-c call()" if tree else "call()")
answer(float(printed.stdout.partition("increment:")[2].split()[0]))
"""

_TIME = """
from IPython.utils.capture import capture_output
with capture_output() as printed:
    get_ipython().run_line_magic("time", "call()")
number, unit = printed.stdout.partition("total:")[2].split()[:2]
answer(float(number) * {"ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0}[unit])
"""

_PYTHON = [sys.executable, "-c"]
_IPYTHON = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c"]

_WAIT = ["/bin/sh", "-c", "read line"]

CGROUP = "cgroup"

#: Name, how it is started, and what it runs.
TOOLS: dict[str, tuple[list[str], str]] = {
    "%memit": (_IPYTHON, _BEGIN + _MEMIT),
    "memory_usage": (_PYTHON, _BEGIN + _MEMORY_USAGE),
    "psutil": (_PYTHON, _BEGIN + _PSUTIL),
    "ru_maxrss": (_PYTHON, _FORKED + _BEGIN + _MAXRSS),
    CGROUP: (_PYTHON, _BEGIN + _CGROUP),
}


def increment_bytes(tool: str, call: Call) -> float:
    """Return what a tool of `TOOLS` says of a call, bytes; raises MethodError if it failed."""
    start, code = TOOLS[tool]
    if tool != CGROUP:
        return _answer(tool, start, code, call) * MIB
    try:
        with _cgroup() as found:
            variables = {"FMRI_BENCH_CGROUP": json.dumps(found)}
            return _answer(tool, start, code, call, variables) * MIB
    except OSError as error:
        raise MethodError(f"{tool} failed on {call.label!r}: {_reason(error)}") from error


def cgroup_refusal() -> str:
    """Return why no cgroup can be made that counts memory, empty if one can; removes left ones."""
    try:
        with _cgroup():
            return ""
    except OSError as error:
        return _reason(error)


def _reason(error: OSError) -> str:
    return f"no memory controller may be used here ({error.strerror or error})"


@contextlib.contextmanager
def _cgroup() -> Iterator[tuple[str, str, str]]:
    """Give a cgroup in ours, or above: its folder, and its files; raises OSError without one."""
    refusal = OSError("none is mounted")
    for controller, names in _COUNTED.items():
        for above in bounds.cgroups(controller):
            _remove_left(above)
            with contextlib.ExitStack() as made:
                try:
                    folder = made.enter_context(_made(above, names[0]))
                except OSError as error:
                    refusal = error
                    continue
                yield str(folder), *names
                return
    raise refusal


@contextlib.contextmanager
def _made(above: Path, peak: str) -> Iterator[Path]:
    """Make a cgroup in another, and remove it whatever happens; raises OSError if refused."""
    folder = Path(tempfile.mkdtemp(prefix=CGROUP_PREFIX, dir=above))
    try:
        with locked(folder):  # for as long as this process lives, it is not one that was left
            if not (folder / peak).exists():
                raise OSError(f"there is no {peak}")
            # Whether a process may be moved depends on both cgroups, and is not seen beforehand.
            with subprocess.Popen(_WAIT, stdin=subprocess.PIPE) as waiting:
                (folder / "cgroup.procs").write_text(str(waiting.pid))
            yield folder
    finally:
        _remove(folder, _ENDING_SECONDS)


def _remove_left(above: Path) -> None:
    """Remove cgroups whose maker was killed."""
    for folder in above.glob(f"{CGROUP_PREFIX}*"):
        with contextlib.suppress(OSError), locked(folder, wait=False):
            _remove(folder, 0)


def _remove(folder: Path, seconds: float) -> None:
    """Remove a cgroup once it is empty; end what is in it after some time."""
    begun = time.monotonic()
    while folder.is_dir() and (waited := time.monotonic() - begun) < seconds + _ENDING_SECONDS:
        with contextlib.suppress(OSError):
            folder.rmdir()
            return
        if waited >= seconds:
            _end_all(folder)
        time.sleep(0.01)


def _end_all(folder: Path) -> None:
    """End the processes of a cgroup."""
    with contextlib.suppress(OSError):
        for pid in map(int, (folder / "cgroup.procs").read_text().split()):
            if pid > 0:  # 0 is one in another container, and to `kill` all of our group
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _answer(
    tool: str, start: list[str], code: str, call: Call, variables: Mapping[str, str] | None = None
) -> float:
    """Run a tool's code in a process of its own, and return the number it answers."""
    payload = cloudpickle.dumps((call.function, call.args, call.tree))
    given = {"FMRI_BENCH_CALL": payload.hex(), **(variables or {})}
    try:
        printed = _printed([*start, code], environment(hidden=True) | given)
        answer: float = json.loads(printed.splitlines()[-1])["answer"]
    except subprocess.TimeoutExpired as error:
        raise MethodError(
            f"{tool} took longer than {error.timeout:g} s on {call.label!r}."
        ) from error
    except (subprocess.SubprocessError, ValueError, LookupError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise MethodError(f"{tool} failed on {call.label!r}: {said[-1]}") from error
    return answer


def _printed(command: list[str], variables: dict[str, str]) -> str:
    """Run a command, and return what it printed; whatever interrupts this ends its processes."""
    with subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, errors = process.communicate(timeout=_MOST_SECONDS)
        except BaseException:
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, printed, errors)
    return printed


def time_magic_cpu_seconds(call: Call) -> float:
    """Return the CPU time of a call that ``%time`` reports, s; raises MethodError if it failed."""
    return _answer("%time", _IPYTHON, _BEGIN + _TIME, call)

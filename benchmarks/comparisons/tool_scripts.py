"""What other tools say of a call, after one warm-up: memory beyond that before; each afresh."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import cloudpickle

from benchmarks.errors import MethodError
from benchmarks.runner.launch import environment
from benchmarks.units import MIB

if TYPE_CHECKING:
    from benchmarks.runner.known_calls import Call

_MOST_SECONDS = 120

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

_MAXRSS = """
import resource
def largest():
    who = [resource.RUSAGE_SELF, *([resource.RUSAGE_CHILDREN] if tree else [])]
    return sum(resource.getrusage(one).ru_maxrss for one in who)
before = largest()
call()
answer((largest() - before) / 1024)
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

#: Name, how it is started, and what it runs.
TOOLS: dict[str, tuple[list[str], str]] = {
    "%memit": (_IPYTHON, _MEMIT),
    "memory_usage": (_PYTHON, _MEMORY_USAGE),
    "psutil": (_PYTHON, _PSUTIL),
    "ru_maxrss": (_PYTHON, _MAXRSS),
}


def increment_bytes(tool: str, call: Call) -> float:
    """Return what a tool of `TOOLS` says of a call, bytes; raises MethodError if it failed."""
    start, code = TOOLS[tool]
    return _answer(tool, start, code, call) * MIB


def _answer(tool: str, start: list[str], code: str, call: Call) -> float:
    """Run a tool's code in a process of its own, and return the number it answers."""
    payload = cloudpickle.dumps((call.function, call.args, call.tree))
    variables = environment(hidden=True) | {"FMRI_BENCH_CALL": payload.hex()}
    try:
        ended = subprocess.run(
            [*start, _BEGIN + code],
            env=variables,
            capture_output=True,
            text=True,
            check=True,
            timeout=_MOST_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        answer: float = json.loads(ended.stdout.splitlines()[-1])["answer"]
    except (subprocess.SubprocessError, ValueError, LookupError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise MethodError(f"{tool} failed on {call.label!r}: {said[-1]}") from error
    return answer


def time_magic_cpu_seconds(call: Call) -> float:
    """Return the CPU time of a call that ``%time`` reports, s; raises MethodError if it failed."""
    return _answer("%time", _IPYTHON, _TIME, call)

"""``"show_memory": benchmarks.show_memory`` in a conf.py, by itself and in sphinx-gallery."""

import pickle
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from joblib import Parallel, delayed

from benchmarks import show_memory
from benchmarks.gauge import conditions, peak

CONF = """
import {module}

project = "A gallery"
extensions = ["sphinx_gallery.gen_gallery"]
html_theme = "basic"
sphinx_gallery_conf = {{
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "show_memory": {value},
    "parallel": {parallel},
}}
"""

OURS, THEIRS = ("benchmarks", "benchmarks.show_memory"), ("memory_profiler", "True")

EXAMPLE = '''"""
{title}
======
"""
import time
import numpy as np

{code}
'''

#: Need of memory (MiB) of each example of the gallery.
EXAMPLES = {
    "large": (300, "values = np.ones(300 << 17)"),
    "moment": (200, "values = np.ones(200 << 17)\ndel values\n# %%\n# And more.\ntime.sleep(0.2)"),
    "nothing": (0, "print(3)"),
}


#: Prints how often the process tree was looked at, and how many readings were kept at most.
LOOKED = """
import time
from benchmarks import show_memory
from benchmarks.gauge import in_process

kept, looked = [], in_process._look
in_process._look = lambda watch: (looked(watch), kept.append(len(watch.ticks)))
show_memory(lambda: time.sleep(0.5))
print(len(kept), max(kept))
"""


def hold(mebibytes, seconds):
    values = np.ones(mebibytes << 17)
    time.sleep(seconds)
    return values[0]


def two_workers():
    Parallel(n_jobs=2)(delayed(hold)(100, 0.3) for _ in range(2))


def needed(function, gauge=show_memory):
    """Return by how much (MiB) a call raised the memory, as sphinx-gallery works it out."""
    conditions.give_back()  # what earlier tests have freed would be used again
    start, _ = gauge(lambda: None)
    highest, returned = gauge(function)
    return highest - start, returned


@pytest.mark.alone
@pytest.mark.parametrize(("mebibytes", "seconds"), [(16, 0), (256, 0), (256, 0.3)])
def test_a_peak_of_this_process_is_read_to_a_mebibyte(mebibytes, seconds):
    found, returned = needed(lambda: hold(mebibytes, seconds))
    assert found == pytest.approx(mebibytes, abs=max(1, 0.005 * mebibytes))
    assert returned == 1


@pytest.mark.alone
def test_workers_count_with_what_they_hold_together():
    needed(two_workers)  # they are started, and stay
    found, _ = needed(two_workers)
    # Both hold theirs for longer than they need to begin.
    assert found == pytest.approx(200, abs=4)


@pytest.mark.alone
def test_a_peak_is_not_forgotten_when_a_program_starts_later():
    def call():
        blocks = []
        for _ in range(8):  # by steps, which many looks see
            blocks.append(np.ones(20 << 17))
            time.sleep(0.02)
        blocks.clear()
        time.sleep(0.1)
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.3)"], check=True)

    found, _ = needed(call)
    assert found == pytest.approx(160, abs=3)


@pytest.mark.alone
def test_it_is_no_worse_than_memory_profiler():
    from memory_profiler import memory_usage

    def theirs(function):
        return memory_usage(function, max_usage=True, retval=True, multiprocess=True)

    two_workers()
    for function, truth in ((lambda: hold(100, 0), 100), (two_workers, 200)):
        ours, other = (abs(needed(function, gauge)[0] - truth) for gauge in (show_memory, theirs))
        assert ours <= other + 1


def test_a_long_call_keeps_few_readings():
    # In a process of its own, which no workers of other tests are below.
    answer = subprocess.run([sys.executable, "-c", LOOKED], capture_output=True, check=True)
    looks, most = map(int, answer.stdout.split())
    assert looks > 20
    assert most == 2


def test_an_error_comes_through_and_nothing_is_left_behind():
    import threading

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        show_memory(lambda: 1 / 0)
    assert threading.active_count() == before


@pytest.mark.alone
def test_where_marks_cannot_be_set_back_there_is_a_coarse_figure(monkeypatch):
    monkeypatch.setattr(peak, "name", lambda: peak.COARSE)
    found, returned = needed(lambda: hold(200, 0.2))
    assert found == pytest.approx(200, abs=4)
    assert returned == 1


def test_sphinx_can_keep_it_and_send_it_to_workers():
    assert pickle.loads(pickle.dumps(show_memory))(lambda: 3)[1] == 3  # noqa: S301 - our own


def build(folder, parallel, ours=OURS):
    """Build the gallery, and return what it says of each example (MB)."""
    (folder / "examples").mkdir()
    (folder / "examples" / "GALLERY_HEADER.rst").write_text("Examples\n========\n")
    (folder / "examples" / "README.rst").write_text("Examples\n========\n")  # of older releases
    for name, (_, code) in EXAMPLES.items():
        text = EXAMPLE.format(title=name, code=code)
        (folder / "examples" / f"plot_{name}.py").write_text(text)
    module, value = ours
    (folder / "conf.py").write_text(CONF.format(module=module, value=value, parallel=parallel))
    (folder / "index.rst").write_text("Title\n=====\n\n.. toctree::\n\n   auto_examples/index\n")
    words = ("-q", "-b", "html", folder, folder / "_build")
    answer = subprocess.run(
        [sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, check=False
    )
    pages = {name: (folder / f"auto_examples/plot_{name}.rst").read_text() for name in EXAMPLES}
    said = {name: re.search(r"memory usage:\*\* +(\d+) MB", page) for name, page in pages.items()}
    return {name: int(found[1]) for name, found in said.items() if found}, answer


@pytest.mark.alone
@pytest.mark.parametrize("parallel", [False, 2])
def test_a_gallery_says_what_its_examples_need(tmp_path, parallel):
    found, answer = build(tmp_path, parallel)
    assert answer.returncode == 0, answer.stderr
    assert "show_memory" not in answer.stderr
    assert found.keys() == EXAMPLES.keys()
    for name, (truth, _) in EXAMPLES.items():
        # Written without decimals; what Python needs to run a script comes on top.
        assert found[name] == pytest.approx(truth, abs=3), name

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import save_run

from benchmarks.comparisons import tool_scripts
from benchmarks.comparisons import tools as peers
from benchmarks.comparisons.site import Site
from benchmarks.errors import AbsentError, BenchmarkError, FigureError, MethodError
from benchmarks.gauge import bounds, conditions
from benchmarks.images.workspace import Workspace
from benchmarks.runner import known_calls
from benchmarks.tasks.chapter import ASKED_ABOUT
from benchmarks.units import MIB


def fail():
    raise ValueError("on purpose")


@pytest.fixture
def cgroup_here():
    if refusal := tool_scripts.cgroup_refusal():
        pytest.skip(f"what a cgroup counts cannot be seen: {refusal}")


def left():
    """Return the cgroups of ours that are there."""
    return {
        path
        for controller in ("", "memory")
        for above in bounds.cgroups(controller)
        for path in above.glob(f"{tool_scripts.CGROUP_PREFIX}*")
    }


@pytest.mark.parametrize("tool", tool_scripts.TOOLS)
def test_a_tool_answers_about_a_long_block(tool, request):
    if tool == tool_scripts.CGROUP:
        request.getfixturevalue("cgroup_here")
    call = known_calls.Call("block", known_calls.hold, (64, 0.4))
    said = tool_scripts.increment_bytes(tool, call)
    # ru_maxrss says nothing of a second call: the warm-up call had reached as high.
    assert said < 2 * MIB if tool == "ru_maxrss" else abs(said - 64 * MIB) < 24 * MIB


def test_a_tool_that_fails_is_an_error_with_its_name_and_reason():
    call = known_calls.Call("failing", fail, ())
    with pytest.raises(MethodError, match=r"psutil failed on 'failing'.*on purpose"):
        tool_scripts.increment_bytes("psutil", call)


def grow(size_mib, seen=[]):  # noqa: B006 - what the call before left
    """Need more than the call before."""
    seen.append(size_mib)
    np.ones(sum(seen) * MIB, np.uint8)


def test_ru_maxrss_does_not_begin_with_the_mark_of_the_process_that_asks():
    np.ones(512 * MIB, np.uint8)
    call = known_calls.Call("growing", grow, (64,))
    assert tool_scripts.increment_bytes("ru_maxrss", call) == pytest.approx(64 * MIB, abs=2 * MIB)


def read_in_pieces(path):
    with Path(path).open("rb", buffering=0) as file:
        while file.read(MIB):
            pass


@pytest.mark.usefixtures("cgroup_here")
def test_a_cgroup_counts_the_file_that_a_call_reads(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(48 * MIB))
    try:
        conditions.make_cold(str(path))
    except BenchmarkError as error:
        pytest.skip(f"no file can be read afresh here: {error}")
    call = known_calls.Call("reading", read_in_pieces, (str(path),))
    assert 48 * MIB <= tool_scripts.increment_bytes("cgroup", call) < 54 * MIB
    assert tool_scripts.increment_bytes("memory_usage", call) < 4 * MIB


@pytest.mark.usefixtures("cgroup_here")
def test_a_cgroup_counts_shared_memory_of_workers_once():
    call = known_calls.Call("sharing", known_calls.two_workers_share, (96, 0.1), tree=True)
    assert 96 * MIB <= tool_scripts.increment_bytes("cgroup", call) < 106 * MIB


@pytest.mark.usefixtures("cgroup_here")
def test_a_file_that_is_never_read_from_a_disk_is_an_error_that_says_so():
    if not Path("/dev/shm").is_dir():
        pytest.skip("there is no /dev/shm")
    path = Path(f"/dev/shm/fmri-bench-test-{os.getpid()}")
    path.write_bytes(bytes(MIB))
    call = known_calls.Call("reading", read_in_pieces, (str(path),))
    try:
        with pytest.raises(MethodError, match=r"cgroup failed on 'reading': /dev/shm.* cannot be"):
            tool_scripts.increment_bytes("cgroup", call)
    finally:
        path.unlink()


@pytest.mark.usefixtures("cgroup_here")
def test_no_cgroup_is_left_by_a_call_that_goes_well_fails_or_leaves_a_process(monkeypatch):
    monkeypatch.setattr(tool_scripts, "_ENDING_SECONDS", 0.2)
    tool_scripts.increment_bytes("cgroup", known_calls.Call("block", known_calls.hold, (1, 0)))
    with pytest.raises(MethodError, match="on purpose"):
        tool_scripts.increment_bytes("cgroup", known_calls.Call("failing", fail, ()))
    tool_scripts.increment_bytes("cgroup", known_calls.Call("leaving", leave_one, ()))
    assert not left()


def leave_one():
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], **quiet)


ASKING = """
import sys, time
from pathlib import Path
from benchmarks.comparisons import tool_scripts
from benchmarks.runner import known_calls

def long(mark):
    if mark.exists():  # the first call warms up
        time.sleep(20)
    mark.touch()

tool_scripts.increment_bytes("cgroup", known_calls.Call("long", long, (Path(sys.argv[1]),)))
"""


@contextlib.contextmanager
def asking(tmp_path):
    """Run another process until its call is in a cgroup; give both, and the processes in it."""
    script = tmp_path / "asking.py"
    script.write_text(ASKING)
    known = left()
    words = [sys.executable, script, tmp_path / "mark"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        pids = []
        while not pids:
            assert time.monotonic() < deadline, "no call was made in a cgroup"
            assert process.poll() is None, "it ended before its call"
            time.sleep(0.01)
            for folder in left() - known:
                with contextlib.suppress(OSError):
                    pids = (folder / "cgroup.procs").read_text().split()
                    pids = [pid for pid in map(int, pids) if b"-c" in command(pid)]
        yield process, folder, pids


def command(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    return []  # it has ended, or is about to


@pytest.mark.usefixtures("cgroup_here")
def test_a_cgroup_is_removed_by_a_run_that_is_interrupted(tmp_path):
    with asking(tmp_path) as (process, folder, pids):
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert not folder.exists()
        assert not any(map(command, pids))


@pytest.mark.usefixtures("cgroup_here")
def test_a_cgroup_whose_run_was_killed_is_removed_at_the_next_start_and_no_other(tmp_path):
    with asking(tmp_path) as (process, folder, pids):
        assert tool_scripts.cgroup_refusal() == ""
        assert folder.exists()  # somebody asks it still
        process.kill()
        process.wait(30)
        assert folder.exists()
        assert tool_scripts.cgroup_refusal() == ""
        assert not folder.exists()
        assert not any(map(command, pids))


def test_why_no_cgroup_can_be_made_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "ROOT", tmp_path)
    said = "no memory controller may be used here ({})"
    assert tool_scripts.cgroup_refusal() == said.format("none is mounted")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/job\n")
    mount = "30 23 0:26 / /cgroups rw - cgroup2 cgroup2 rw\n"
    (tmp_path / "proc/self/mountinfo").write_text(mount)
    (tmp_path / "cgroups/job").mkdir(parents=True)
    assert tool_scripts.cgroup_refusal() == said.format("there is no memory.peak")
    assert list((tmp_path / "cgroups").iterdir()) == [tmp_path / "cgroups/job"]
    assert not list((tmp_path / "cgroups/job").iterdir())

    def refused(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tool_scripts.tempfile, "mkdtemp", refused)
    assert tool_scripts.cgroup_refusal() == said.format("Permission denied")


@pytest.mark.alone
def test_the_time_magic_answers_about_a_busy_process():
    call = known_calls.Call("busy", known_calls._use_processor, ("", 0, 0.3))
    assert tool_scripts.time_magic_cpu_seconds(call) == pytest.approx(0.3, abs=0.1)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Ask about few calls, with made-up answers; return which were asked."""
    monkeypatch.setenv("FMRI", str(save_run(tmp_path / "bold.nii.gz")))
    monkeypatch.setattr(peers, "KNOWN", peers.KNOWN[:1])
    monkeypatch.setattr(tool_scripts, "cgroup_refusal", lambda: "")
    asked = []

    def answer(tool, call):
        asked.append((tool, call.label))
        return 16 * MIB

    monkeypatch.setattr(tool_scripts, "increment_bytes", answer)
    return asked


def test_every_tool_is_asked_once_and_then_known(asked):
    said = peers.compare_tools()
    assert len(asked) == len(tool_scripts.TOOLS) * 3
    assert [row[0] for row in said.errors().rows] == ["block for a moment"]
    assert said.errors().rows[0][2:-1] == ("0.0",) * len(tool_scripts.TOOLS)
    assert [row[0] for row in said.readings().rows] == [".".join(pair) for pair in ASKED_ABOUT]
    truth, magic, own = said.cpu_seconds
    assert own == pytest.approx(truth, rel=0.05)
    assert magic < 0.2 * truth
    assert "our clock" in str(said)
    asked.clear()
    assert peers.compare_tools() == said
    assert asked == []


@pytest.mark.usefixtures("asked")
def test_claims_can_be_about_what_a_tool_said():
    peers.compare_tools()
    find = Site(Workspace.chosen()).find
    assert find("tools", "cgroup_block_for_a_moment").peak_bytes.median == 16 * MIB
    assert find("tools", "memit_block_for_a_moment").peak_bytes.median == 16 * MIB
    assert find("tools", "ours_mean_over_time_mean_nibabel").peak_bytes.median > 0
    with pytest.raises(FigureError, match="no tool and no call that are named 'cgroup_nothing'"):
        find("tools", "cgroup_nothing")


def test_where_no_cgroup_can_be_made_the_page_says_why(asked, monkeypatch):
    why = "no memory controller may be used here (Permission denied)"
    monkeypatch.setattr(tool_scripts, "cgroup_refusal", lambda: why)
    said = peers.compare_tools()
    assert "cgroup" not in {tool for tool, _ in asked}
    assert "cgroup" not in said.errors().headings + said.readings().headings
    assert str(said).endswith(f"cgroup was not asked: {why}.")
    with pytest.raises(AbsentError, match="No cgroup was asked"):
        Site(Workspace.chosen()).find("tools", "cgroup_block_for_a_moment")


def test_what_a_cgroup_cannot_count_is_left_out_with_the_reason_and_tried_again(
    asked, monkeypatch
):
    answer = tool_scripts.increment_bytes

    def fails_on_files(tool, call):
        if tool == "cgroup" and call.args[0] == os.environ["FMRI"]:
            raise MethodError("cgroup failed on a file: it cannot be dropped.")
        return answer(tool, call)

    monkeypatch.setattr(tool_scripts, "increment_bytes", fails_on_files)
    said = peers.compare_tools()
    column = said.readings().headings.index("cgroup")
    assert [row[column] for row in said.readings().rows] == ["–", "–"]
    assert str(said).endswith("cgroup failed on a file: it cannot be dropped.")
    with pytest.raises(AbsentError, match="cannot be dropped"):
        Site(Workspace.chosen()).find("tools", "cgroup_mean_over_time_mean_nibabel")
    monkeypatch.setattr(tool_scripts, "increment_bytes", answer)
    asked.clear()
    assert [row[column] for row in peers.compare_tools().readings().rows] == ["16.0", "16.0"]
    assert len(asked) == 2


def test_forked_and_fresh_interpreters_are_compared_once(tmp_path, monkeypatch):
    monkeypatch.setenv("FMRI", str(save_run(tmp_path / "bold.nii.gz", shape=(40, 40, 20, 30))))
    pair = ("load", "get_fdata")
    found = peers.compare_interpreters([pair], runs=2)
    (label,) = found.forked
    assert label == "load.get_fdata"
    for result in (found.forked[label], found.fresh[label]):
        assert result.status == "ok"
        assert len(result.time_runs) == len(result.memory_runs) == 2
    assert found.forked[label].peak_bytes.median == pytest.approx(
        found.fresh[label].peak_bytes.median, abs=0.3 * MIB
    )
    assert found.table().rows[0][0] == label
    assert "bold.nii.gz" in str(found)
    monkeypatch.setattr(peers.execute, "carry_out", lambda *_: pytest.fail("measured again"))
    assert peers.compare_interpreters([pair], runs=2) == found

import pytest
from conftest import save_run

from benchmarks.comparisons import tool_scripts
from benchmarks.comparisons import tools as peers
from benchmarks.errors import MethodError
from benchmarks.runner import known_calls
from benchmarks.tasks.chapter import ASKED_ABOUT
from benchmarks.units import MIB

pytestmark = pytest.mark.alone


def fail():
    raise ValueError("on purpose")


@pytest.mark.parametrize("tool", tool_scripts.TOOLS)
def test_a_tool_answers_about_a_long_block(tool):
    call = known_calls.Call("block", known_calls.hold, (64, 0.4))
    said = tool_scripts.increment_bytes(tool, call)
    # ru_maxrss says nothing of a second call: the warm-up call had reached as high.
    assert said < 2 * MIB if tool == "ru_maxrss" else abs(said - 64 * MIB) < 24 * MIB


def test_a_tool_that_fails_is_an_error_with_its_name_and_reason():
    call = known_calls.Call("failing", fail, ())
    with pytest.raises(MethodError, match=r"psutil failed on 'failing'.*on purpose"):
        tool_scripts.increment_bytes("psutil", call)


def test_the_time_magic_answers_about_a_busy_process():
    call = known_calls.Call("busy", known_calls._use_processor, ("", 0, 0.3))
    assert tool_scripts.time_magic_cpu_seconds(call) == pytest.approx(0.3, abs=0.1)


def test_every_tool_is_asked_once_and_then_known(tmp_path, monkeypatch):
    monkeypatch.setenv("FMRI", str(save_run(tmp_path / "bold.nii.gz")))
    monkeypatch.setattr(peers, "KNOWN", peers.KNOWN[:1])
    asked = []

    def answer(tool, call):
        asked.append((tool, call.label))
        return 16 * MIB

    monkeypatch.setattr(tool_scripts, "increment_bytes", answer)
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

"""What a machine hands in is measured on a standard file, and on the reader's beside it."""

import pytest
from click.testing import CliRunner
from conftest import save_run

from benchmarks import __main__
from benchmarks.errors import DataError, GaugeError, SubmissionError
from benchmarks.gauge import peak
from benchmarks.gauge.readings import MemoryRun
from benchmarks.images import generate
from benchmarks.releases import submission
from benchmarks.releases.submission import OWN, STANDARD
from benchmarks.results.result import Result
from benchmarks.runner import self_check
from benchmarks.units import MIB

STANDARD_SHAPE = (128, 96, 24, 5)


def checked(store):
    """Put readings that are right, so that the known calls need not be run."""
    for call in self_check.calls(store.data):
        runs = (MemoryRun(call.peak_bytes, 0, 30 * MIB, call.peak_bytes, call.peak_bytes),)
        store.put(Result(self_check.TASK, call.label, self_check._digest(), memory_runs=runs))


@pytest.fixture
def submit(tmp_path, monkeypatch):
    """Return a function that calls the command on small files."""
    standard = save_run(tmp_path / "example4d.nii.gz", shape=STANDARD_SHAPE)
    own = save_run(tmp_path / "sub-secret_bold.nii.gz", slope=2.0)
    monkeypatch.setattr(generate, "example4d", lambda: standard)

    def called(*words):
        given = ["submit", str(own), "--runs", "1", "--to", str(tmp_path / "out"), *words]
        return CliRunner().invoke(__main__.main, given)

    return called


@pytest.mark.alone
def test_a_machine_is_measured_on_both_files_and_what_it_hands_in_is_taken(
    submit, tmp_path, monkeypatch
):
    monkeypatch.setattr(self_check, "ensure", checked)
    answer = submit("--task", "load")
    assert answer.exit_code == 0, answer.output
    (path,) = (tmp_path / "out").iterdir()
    assert str(path) in answer.output
    assert "secret" not in path.read_text()
    found = submission.read(path.read_bytes(), path.name)
    assert set(found.stores) == {(STANDARD, ""), (OWN, "")}
    for store in found.stores.values():
        assert {"get_fdata", "nibabel_load", "inflate_isal"} <= {r.method for r in store.all()}
        assert all(r.time_runs for r in store.all() if r.task == "load")


@pytest.mark.alone
def test_nothing_is_written_while_the_gauge_is_not_checked(submit, tmp_path):
    answer = submit("--task", "proxy_and_array")
    assert isinstance(answer.exception, SubmissionError)
    assert not (tmp_path / "out").exists()


def test_a_task_that_is_not_compared_is_named(submit):
    answer = submit("--task", "growth")
    assert isinstance(answer.exception, DataError)
    assert "growth is not compared between machines; there are: load" in str(answer.exception)


def test_a_gauge_that_cannot_be_checked_hands_nothing_in(submit, monkeypatch):
    monkeypatch.setattr(peak, "name", lambda: peak.COARSE)
    answer = submit()
    assert isinstance(answer.exception, GaugeError)
    assert "On Linux it can be" in str(answer.exception)

import pytest
from conftest import save_run

from benchmarks.errors import GaugeError
from benchmarks.gauge import peak as gauge
from benchmarks.gauge.readings import MemoryRun
from benchmarks.images import choose
from benchmarks.images.workspace import Workspace
from benchmarks.results.result import Status
from benchmarks.runner import execute, known_calls, self_check
from benchmarks.units import MIB


@pytest.fixture
def store(fmri_path):
    return Workspace.chosen(fmri_path).store


@pytest.mark.alone
def test_the_gauge_is_measured_once_and_then_known(store, monkeypatch):
    assert self_check.stored(store) == []
    checks = self_check.ensure(store)
    assert len(checks) == len(self_check.calls(store.data))
    assert all(check.is_kept for check in checks)
    for check in checks:
        own_bytes = check.call.forks * (check.fork_bytes or self_check.MOST_FORK_BYTES)
        assert abs(check.error_bytes) <= check.call.bound_bytes + own_bytes
    monkeypatch.setattr(execute, "carry_out", lambda *_: pytest.fail("measured again"))
    again = Workspace.chosen(store.data.path).store
    assert self_check.ensure(again) == self_check.stored(again) == checks


def fake(monkeypatch, store, factors):
    """Have the runs read the truth times a factor each; the last factor goes on."""
    truth = {(c.function, c.args): c.peak_bytes for c in self_check.calls(store.data)}
    factors = list(factors)

    def prepare(order):
        (args,) = order.calls
        return truth[order.function, args]

    def carry_out(peak, *_):
        factor = factors.pop(0) if len(factors) > 1 else factors[0]
        if factor is KeyboardInterrupt:
            raise factor
        read = round(peak * factor)
        returned = execute.Returned("NoneType")
        return execute.Outcome((MemoryRun(read, 0, 0, read, read),), (returned,))

    monkeypatch.setattr(self_check, "prepare", prepare)
    monkeypatch.setattr(execute, "carry_out", carry_out)


def test_a_gauge_that_is_off_is_refused_before_anything_is_measured(store, monkeypatch):
    fake(monkeypatch, store, [1.1])
    with pytest.raises(GaugeError, match=r"The memory gauge is off: .* needs 16.0.*Nothing is"):
        self_check.ensure(store)
    assert store.all() == []


def test_one_bad_reading_is_judged_by_the_median_as_any_figure_is(store, monkeypatch):
    fake(monkeypatch, store, [1.1, 1.0])
    first = self_check.ensure(store)[0]
    assert first.read_bytes == 16 * MIB


def test_another_gauge_is_checked_again(store, monkeypatch):
    fake(monkeypatch, store, [1.0])
    self_check.ensure(store)
    assert self_check.stored(store)
    monkeypatch.setattr(self_check, "_digest", lambda: "other code")
    assert self_check.stored(store) == []


def test_a_coarse_gauge_is_labelled_and_not_checked(store, monkeypatch):
    monkeypatch.setattr(gauge, "name", lambda: gauge.COARSE)
    assert self_check.ensure(store) == []


def test_a_known_call_that_fails_is_an_error(store, monkeypatch):
    monkeypatch.setattr(
        execute, "carry_out", lambda *_: execute.Failure(Status.KILLED, "no memory")
    )
    with pytest.raises(GaugeError, match="could not be checked: a block for a moment: no memory"):
        self_check.ensure(store)


def test_the_file_that_is_mapped_may_have_any_size(tmp_path):
    path = save_run(tmp_path / "odd.nii")
    calls = self_check.calls(choose.choose(path))
    (mapped,) = (c for c in calls if c.function is known_calls.two_workers_map_a_file)
    assert mapped.peak_bytes % 4096 == 0
    assert 0 <= mapped.peak_bytes - path.stat().st_size < 4096


def test_a_check_that_is_interrupted_at_a_wrong_reading_stores_nothing(store, monkeypatch):
    fake(monkeypatch, store, [1.1, KeyboardInterrupt])
    with pytest.raises(KeyboardInterrupt):
        self_check.ensure(store)
    assert store.all() == []

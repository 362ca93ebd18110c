import pytest
from conftest import save_run

from benchmarks.images import choose
from benchmarks.gauge import peak as gauge
from benchmarks.runner import known_calls
from benchmarks.images import workspace
from benchmarks.runner import order as orders
from benchmarks.runner import execute
from benchmarks.runner import self_check
from benchmarks.errors import GaugeError
from benchmarks.gauge.readings import MemoryRun
from benchmarks.units import MIB


@pytest.fixture
def opened(fmri_path):
    file = choose.choose(fmri_path)
    return workspace.store_of(file), file


def test_the_gauge_is_measured_once_and_then_known(opened, monkeypatch):
    store, file = opened
    assert self_check.stored(store, file) == []
    checks = self_check.ensure(store, file)
    assert len(checks) == 6
    for check in checks:
        assert abs(check.error_bytes) <= check.call.bound_bytes
    monkeypatch.setattr(execute, "run_once", lambda *_: pytest.fail("measured again"))
    again = workspace.store_of(file)
    assert self_check.ensure(again, file) == self_check.stored(again, file) == checks


def fake(monkeypatch, file, factors):
    """Have the runs read the truth times a factor each; the last factor goes on."""
    truth = {c.function: c.peak_bytes for c in self_check.calls(file.path, file.data.file_bytes)}
    truth[known_calls.hold] = None  # two calls of it: told apart by their size
    factors = list(factors)

    def order(_kind, function, *args):
        return args[0] * MIB if truth[function] is None else truth[function]

    def run_once(peak, *_):
        read = round(peak * (factors.pop(0) if len(factors) > 1 else factors[0]))
        returned = execute.Returned("NoneType")
        return execute.Outcome((MemoryRun(read, 0, 0, read, read),), (returned,))

    monkeypatch.setattr(orders, "order", order)
    monkeypatch.setattr(execute, "run_once", run_once)


def test_a_gauge_that_is_off_is_refused_before_anything_is_measured(opened, monkeypatch):
    store, file = opened
    fake(monkeypatch, file, [1.1])
    with pytest.raises(GaugeError, match=r"The memory gauge is off: .* needs 16.0.*Nothing is"):
        self_check.ensure(store, file)
    assert store.all() == []


def test_one_bad_reading_is_judged_by_the_median_as_any_figure_is(opened, monkeypatch):
    store, file = opened
    fake(monkeypatch, file, [1.1, 1.0])
    first = self_check.ensure(store, file)[0]
    assert first.read_bytes == 16 * MIB


def test_another_gauge_is_checked_again(opened, monkeypatch):
    store, file = opened
    fake(monkeypatch, file, [1.0])
    self_check.ensure(store, file)
    assert self_check.stored(store, file)
    monkeypatch.setattr(self_check, "_digest", lambda: "other code")
    assert self_check.stored(store, file) == []


def test_a_coarse_gauge_is_labelled_and_not_checked(opened, monkeypatch):
    monkeypatch.setattr(gauge, "name", lambda: gauge.COARSE)
    assert self_check.ensure(*opened) == []


def test_a_known_call_that_fails_is_an_error(opened, monkeypatch):
    monkeypatch.setattr(execute, "run_once", lambda *_: execute.Failure("killed", "no memory"))
    with pytest.raises(GaugeError, match="could not be checked: a block for a moment: no memory"):
        self_check.ensure(*opened)


def test_the_file_that_is_mapped_may_have_any_size(tmp_path):
    path = save_run(tmp_path / "odd.nii")
    mapped = self_check.calls(path, path.stat().st_size)[-1]
    assert mapped.peak_bytes % 4096 == 0
    assert 0 <= mapped.peak_bytes - path.stat().st_size < 4096

import json
import os
from dataclasses import replace

import pytest
from conftest import save_run

from benchmarks.gauge.readings import TimeRun
from benchmarks.images.workspace import Workspace
from benchmarks.prediction import basis as bases
from benchmarks.prediction import predict, roofline, small_files
from benchmarks.prediction.basis import Basis
from benchmarks.results.result import Result

KIND = "int16_nii_gz"


@pytest.fixture
def workspace(tmp_path):
    return Workspace.chosen(save_run(tmp_path / "bold.nii.gz"))


def seconds_of(basis, method="get_fdata"):
    (found,) = (c for c in basis.of_kind(KIND) if (c.task, c.method) == ("load", method))
    return found.wall_seconds.at(10**5, 100)


def peak_of(basis):
    (found,) = (c for c in basis.of_kind(KIND) if (c.task, c.method) == ("load", "get_fdata"))
    return found.peak_bytes.at(10**5, 100)


def measure_rates(workspace, factor):
    """Store rates as of a machine that is so many times slower than the reference."""
    for rate, per_byte in bases._reference_rates().items():
        seconds = factor * per_byte * roofline.bytes_done(rate, workspace.image)
        runs = (TimeRun(seconds, 0.0, 0.0),)
        workspace.store.put(Result("mean_over_time", rate, roofline.digest(), time_runs=runs))


def test_where_nothing_is_measured_figures_are_those_of_the_reference(workspace):
    found = Basis.of(workspace.store.provenance)
    assert found.store.is_reference
    assert found.slowness is None
    assert seconds_of(found) == seconds_of(Basis.of_reference())
    assert "the rates of this machine are not measured yet" in found.words


def test_times_are_multiplied_by_the_ratio_of_the_rates_and_peaks_are_not(workspace):
    measure_rates(workspace, 3.0)
    found = Basis.of(workspace.store.provenance)
    assert found.slowness == pytest.approx(3.0)
    assert seconds_of(found) == pytest.approx(3 * seconds_of(Basis.of_reference()))
    assert peak_of(found) == peak_of(Basis.of_reference())
    assert "multiplied by 3.0" in found.words


def test_rates_of_other_versions_and_of_older_kernels_say_nothing(workspace, monkeypatch):
    measure_rates(workspace, 3.0)
    here = workspace.store.provenance
    other = replace(here, packages=here.packages | {"nilearn": "0.0.1"})
    assert Basis.of(other).slowness is None
    monkeypatch.setattr(roofline, "digest", lambda: "another code of the kernels")
    assert Basis.of(here).slowness is None


def test_small_files_of_this_machine_come_first_until_an_example_changes(workspace, monkeypatch):
    small = workspace.small_files()
    small.put(*Basis.of_reference().store.all())
    monkeypatch.setattr(bases, "example_paths", dict)
    found = Basis.of(workspace.store.provenance)
    assert found.store.path == small.path
    assert found.words == "The figures rest on what small files took on this machine."
    edited = small.path.with_name("plot_edited.py")
    edited.touch()
    os.utime(edited, (small.path.stat().st_mtime + 10,) * 2)
    monkeypatch.setattr(bases, "example_paths", lambda: {"edited": edited})
    assert Basis.of(workspace.store.provenance).store.is_reference


def test_kinds_that_were_not_measured_here_are_those_of_the_reference(workspace, monkeypatch):
    reference = Basis.of_reference()
    here = workspace.small_files()
    here.put(*[r for r in reference.store.all() if f"@{KIND}_" in r.task])
    monkeypatch.setattr(bases, "example_paths", dict)
    found = Basis.of(workspace.store.provenance)
    assert found.for_kind(KIND).store.path == here.path
    other = small_files.KINDS[-1]
    assert other != KIND
    assert found.for_kind(other).store.is_reference
    assert found.of_kind(other) == reference.of_kind(other)
    assert found.words.startswith("For files of the kind int16 nii gz, the figures rest on")
    assert "For the others: Peaks are those of small files on another machine" in found.words
    # Of one file it is known which they are.
    assert "another machine" not in predict.of_image(workspace.image, found).caption


def test_what_is_shown_says_what_it_rests_on(workspace):
    found = predict.of_workspace(workspace)
    assert found.basis.words in str(found)
    assert json.loads(json.dumps(found.as_dict()))["basis"] == found.basis.words

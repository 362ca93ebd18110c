"""Benchmarks of asv: a folder of files that need nothing of ours, one call a benchmark."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import save_run

from benchmarks.__main__ import main
from benchmarks.releases import asv
from benchmarks.tasks import chapter
from benchmarks.tasks import task as tasks


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Write the benchmarks once, in a package of another name than ours."""
    folder = tmp_path_factory.mktemp("asv")
    answer = CliRunner().invoke(main, ["asv", str(folder)])
    assert answer.exit_code == 0, answer.output
    (folder / "benchmarks").rename(folder / "of_asv")
    return folder


def classes(path):
    """Return the benchmarks of a file, by class."""
    found = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    return {one.name: [n.name for n in one.body if n.name != "setup"] for one in found}


def test_each_method_has_its_time_and_its_peak(written):
    for name, about in chapter.TASKS.items():
        path = written / "of_asv" / f"{name}.py"
        assert path.exists() == about.timed, name
        if about.timed:
            methods = [m.name for m in tasks.task_named(name).methods if not m.program]
            found = [one for names in classes(path).values() for one in names]
            kinds = ("time", "peakmem")
            assert sorted(found) == sorted(f"{kind}_{m}" for m in methods for kind in kinds)


def test_what_finds_what_it_left_is_called_once_before(written):
    text = (written / "of_asv" / "caching.py").read_text()
    assert "super().setup()\n        second_call(self.fmri_path)" in text
    found = classes(written / "of_asv" / "caching.py")
    assert found["CachingSecondCall"] == ["time_second_call", "peakmem_second_call"]
    assert "time_no_cache" in found["Caching"]


def test_a_method_is_not_taken_for_a_benchmark(written):
    text = (written / "of_asv" / "array_order.py").read_text()
    assert "def _time_first(fmri_path):" in text
    assert text.count("        _time_first(self.fmri_path)") == 2
    for path in (written / "of_asv").glob("*.py"):
        functions = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)]
        assert not [f.name for f in functions if f.name.startswith(("time_", "peakmem_"))]


def test_no_name_is_missing_and_nothing_of_ours_is_imported(written):
    words = ["check", "--isolated", "--no-cache", "--select", "F821,F811,E9", written]
    answer = subprocess.run(
        [sys.executable, "-m", "ruff", *words], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout
    for path in (written / "of_asv").glob("*.py"):
        lines = [line for line in path.read_text().splitlines() if "import" in line]
        assert not [line for line in lines if "benchmarks" in line], path.name


def test_asv_is_told_what_the_methods_need(written):
    content = json.loads((written / "asv.conf.json").read_text())
    assert (content["version"], content["project"]) == (1, "nilearn")
    needed = set(content["matrix"]["req"])
    assert {"nibabel", "numpy", "isal", "indexed_gzip", "dask[distributed]"} <= needed
    assert not needed & {"nilearn", "os", "tempfile"}


@pytest.mark.parametrize("own", [False, True])
def test_benchmarks_run_on_the_run_that_is_made_or_on_ones_own(
    written, tmp_path, monkeypatch, own
):
    monkeypatch.syspath_prepend(written)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", None)
    for name in [name for name in sys.modules if name.partition(".")[0] == "of_asv"]:
        monkeypatch.delitem(sys.modules, name)
    if own:
        monkeypatch.setenv("FMRI", str(save_run(tmp_path / "mine.nii.gz")))
    run = importlib.import_module("of_asv.run")
    monkeypatch.setattr(run, "VOLUMES", 4)
    run.Run().setup_cache()
    shape = run.nib.load("run.nii").shape
    assert shape == ((8, 7, 6, 5) if own else (128, 96, 24, 4))
    for module, kind, method in (
        ("mean_over_time", "MeanOverTime", "mean_blocks"),
        ("many_images", "ManyImages", "loop_paths"),
        ("caching", "CachingSecondCall", "second_call"),
    ):
        one = getattr(importlib.import_module(f"of_asv.{module}"), kind)()
        for measure in ("time", "peakmem"):
            one.setup()
            getattr(one, f"{measure}_{method}")()
            assert Path("scratch").exists()
            one.teardown()
            assert not Path("scratch").exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(asv, "_tasks", dict)
    answer = CliRunner().invoke(main, ["asv", str(tmp_path / "file" / "folder")])
    assert answer.exit_code != 0
    assert "cannot be written" in str(answer.exception)


def test_what_somebody_else_wrote_stays(tmp_path):
    (tmp_path / "asv.conf.json").write_text("{}")
    assert CliRunner().invoke(main, ["asv", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "asv.conf.json").read_text() == "{}"  # a configuration of theirs is kept
    load = tmp_path / "benchmarks" / "load.py"
    load.write_text("# of somebody else\n")
    answer = CliRunner().invoke(main, ["asv", str(tmp_path)])
    assert answer.exit_code != 0
    assert str(load) in str(answer.exception)
    assert load.read_text() == "# of somebody else\n"

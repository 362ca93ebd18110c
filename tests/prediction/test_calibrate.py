"""Small files are measured, what others need is predicted, and what is too large is not run."""

import json
import os
import runpy
import shutil
import sys
from dataclasses import replace

import pytest
import room
from click.testing import CliRunner
from conftest import save_run

from benchmarks import __main__, files
from benchmarks.comparisons import compare, own_file
from benchmarks.comparisons import result_sets as differences
from benchmarks.errors import DataError, StoreError
from benchmarks.images import header
from benchmarks.images.image import Image
from benchmarks.images.workspace import Workspace
from benchmarks.prediction import calibrate, predict, request, small_files
from benchmarks.prediction.basis import Basis
from benchmarks.prediction.proof import Proof
from benchmarks.results import store
from benchmarks.results.result import Result, Status
from benchmarks.runner import execute, self_check
from benchmarks.runner.schedule import Bounds
from benchmarks.tasks import task as task_module
from benchmarks.units import MIB

#: The sizes of the small files that the project itself comes with.
SIZES = small_files.SIZES

EXAMPLE = '''"""
A small task
============
"""
import nibabel as nib
import numpy as np

def streamed(fmri_path):
    """Add up volume by volume."""
    img = nib.load(fmri_path, keep_file_open=True)
    return sum(img.dataobj[..., volume].sum() for volume in range(img.shape[3]))

def whole(fmri_path):
    """Add up all of it."""
    return nib.load(fmri_path).get_fdata().sum()

def unpacked(fmri_path):
    """Add up a compressed file."""
    return whole(fmri_path)

def failing(fmri_path):
    """Never work."""
    raise OSError("broken")

ENDINGS = {"unpacked": ".nii.gz"}
METHODS = [[streamed, whole, unpacked], [failing]]
'''


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Measure small files of a run once for all tests here."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "examples").mkdir()
    (folder / "examples" / "plot_small.py").write_text(EXAMPLE)
    path = save_run(folder / "bold.nii.gz", shape=(40, 40, 20, 12))
    with room.alone(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_check, "ensure", lambda *_, **__: [])
        patch.setattr(files, "EXAMPLES", folder / "examples")
        patch.setattr(
            small_files, "SIZES", {"small": (30000, 8), "wide": (120000, 8), "long": (30000, 64)}
        )
        patch.setenv("FMRI_BENCH_RESULTS", str(folder / "results"))
        patch.setenv("FMRI_BENCH_CACHE", str(folder / "cache"))
        calibrate.prove(path)
    return folder


@pytest.fixture(autouse=True)
def project(measured, monkeypatch):
    """Point everything at what was measured."""
    monkeypatch.setattr(files, "EXAMPLES", measured / "examples")
    monkeypatch.setattr(
        small_files, "SIZES", {"small": (30000, 8), "wide": (120000, 8), "long": (30000, 64)}
    )
    # What was measured of larger files was predicted from other sizes.
    monkeypatch.setattr(request, "of_reference", tuple)
    request.margin.cache_clear()
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(measured / "results"))
    monkeypatch.setenv("FMRI_BENCH_CACHE", str(measured / "cache"))
    monkeypatch.setattr("benchmarks.results.result.NOISY_FROM", float("inf"))
    task_module.task_named.cache_clear()
    yield measured
    task_module.task_named.cache_clear()
    request.margin.cache_clear()


def command(*words):
    return CliRunner().invoke(__main__.main, [*map(str, words)], catch_exceptions=False)


def predicted(path):
    from benchmarks.gauge import peak
    from benchmarks.results import provenance

    return predict.predict(path, provenance.here(peak.name(), path))


def test_a_larger_file_is_predicted_from_small_ones(tmp_path):
    # 12 MB as int16, four times the raw size as float64.
    path = save_run(tmp_path / "large.nii.gz", shape=(64, 64, 40, 40))
    rows = {row.method: row for row in predicted(path).rows}
    assert rows.keys() == {"streamed", "whole", "unpacked", "failing"}
    wanted = 64 * 64 * 40 * 40 * 8
    assert rows["whole"].peak_bytes == pytest.approx(wanted * 1.25, rel=0.3)
    assert rows["streamed"].peak_bytes < 0.2 * wanted
    assert rows["whole"].wall_seconds > 0
    assert (rows["failing"].peak_bytes, rows["failing"].verdict) == (
        None,
        "raised OSError: broken",
    )


def test_methods_for_other_endings_are_left_out(tmp_path):
    path = save_run(tmp_path / "plain.nii")
    assert "unpacked" not in {row.method for row in predicted(path).rows}


def test_verdicts_compare_with_the_free_memory():
    assert predict.verdict(0.5, 1.0) == predict.FITS
    assert predict.verdict(0.8, 1.0) == predict.TIGHT
    assert predict.verdict(0.95, 1.0) == predict.DOES_NOT_FIT


def test_what_is_measured_is_not_measured_again(project, monkeypatch):
    given = []
    monkeypatch.setattr(execute, "carry_out", lambda order, *_: given.append(order))
    store = calibrate.calibrate(project / "bold.nii.gz")
    assert given == []
    assert {result.method for result in store.all()} == {
        "streamed",
        "whole",
        "unpacked",
        "failing",
    }


def test_small_files_are_of_the_kind_of_the_file_unless_all_are_asked_for(
    project, tmp_path, monkeypatch
):
    planned = []
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(calibrate, "_measure", lambda jobs, *_: planned.extend(jobs))

    def kinds():
        return {name.rpartition("_")[0] for job in planned for name in job.images}

    calibrate.calibrate(project / "bold.nii.gz")
    assert kinds() == {"int16_nii_gz"}
    command("calibrate", project / "bold.nii.gz", "--all")
    assert kinds() == set(small_files.KINDS)


def test_what_was_measured_of_a_method_before_it_was_edited_is_dropped(project, tmp_path):
    shutil.copytree(project / "results", tmp_path / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMRI_BENCH_RESULTS", str(tmp_path / "results"))
        store = calibrate.calibrate(project / "bold.nii.gz")
        old = [replace(r, source_sha256="of an older method") for r in store.all()]
        store.put(*[r for r in old if r.method == "whole" and "@scaled_" in r.task])
        store = calibrate.calibrate(project / "bold.nii.gz")
    there = {r.task for r in store.all() if r.method == "whole"}
    assert any("@int16_nii_gz" in name for name in there)
    assert not any("@scaled_" in name for name in there)


def test_what_once_lacked_memory_is_tried_again(project, tmp_path, monkeypatch):
    shutil.copytree(project / "results", tmp_path / "results")
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(tmp_path / "results"))
    store = calibrate.calibrate(project / "bold.nii.gz")
    mine = (result for result in store.all() if "@int16_nii_gz" in result.task)
    one = next(result for result in mine if result.method == "whole")
    store.put(replace(one, status=Status.KILLED, message="no memory", memory_runs=()))
    store = calibrate.calibrate(project / "bold.nii.gz")
    assert not store.get(one.task, "whole").failed


def test_files_that_no_fit_has_seen_prove_predictions_and_are_kept(project):
    store = calibrate.calibrate(project / "bold.nii.gz")
    proof = Proof.of([store], Basis(store))
    assert {pair.method for pair in proof.pairs} == {"streamed", "whole", "unpacked"}
    assert len([pair for pair in proof.pairs if pair.method == "whole"]) == 5
    assert len([pair for pair in proof.pairs if pair.method == "unpacked"]) == 2
    assert sum(0.85 <= pair.ratio <= 1.15 for pair in proof.pairs) >= 0.9 * len(proof.pairs), proof
    printed = command("calibrate", project / "bold.nii.gz", "--prove").output
    assert printed.splitlines() == str(proof).splitlines()
    # They are of no use to a fit.
    for kind in small_files.KINDS:
        assert all(len(costs.misses) <= 3 for costs in Basis(store).of_kind(kind))


@pytest.fixture
def reference_sizes(monkeypatch):
    """Plan small files as the reference machine did, not as the tests here do."""
    monkeypatch.setattr(small_files, "SIZES", SIZES)


@pytest.mark.usefixtures("reference_sizes")
def test_without_small_files_of_its_own_those_of_the_reference_are_taken(monkeypatch, fmri_path):
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(fmri_path.parent / "nothing"))
    found = predicted(fmri_path)
    assert "get_fdata" in {row.method for row in found.rows}
    assert "Reference machine" in found.caption
    assert "are not measured yet" in found.caption


@pytest.mark.usefixtures("reference_sizes")
def test_an_example_that_changed_makes_predictions_stale(project, fmri_path):
    path = project / "examples" / "plot_small.py"
    before = path.stat().st_mtime
    os.utime(path, (before + 10**6,) * 2)
    try:
        assert "Reference machine" in predicted(fmri_path).caption
    finally:
        os.utime(path, (before,) * 2)


def test_a_method_that_is_too_large_is_not_run(project, fmri_path, monkeypatch):
    image = replace(header.read(fmri_path), shape=(1000, 1000, 1000, 1000))
    monkeypatch.setattr(header, "read", lambda _: image)
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(project / "results"))
    opened = Workspace.chosen(project / "bold.nii.gz", fmri_path.parent / "mine").store
    task = own_file.task_for("small", opened.data)
    results = {m.name: Result.begun("small", m, opened.data) for m in task.methods}
    found = compare._too_large(results, opened, Bounds())
    assert {"whole", "unpacked"} <= found.keys() <= {"streamed", "whole", "unpacked"}
    assert {r.status for r in found.values()} == {Status.TOO_LARGE}
    assert "needs about" in found["whole"].message
    assert opened.get("small", "whole").status == Status.TOO_LARGE


def test_a_memory_limit_keeps_large_methods_from_being_run(tmp_path):
    path = save_run(tmp_path / "large.nii.gz", shape=(64, 64, 40, 40))
    answer = command("run", "small", path, "--runs", 1, "--memory-limit", "30MiB")
    assert answer.exit_code == 0
    lines = {line.split()[0]: line for line in answer.output.splitlines() if line.strip()}
    assert "needs about" in lines["whole"]
    assert "raised" in lines["failing"]


@pytest.mark.usefixtures("reference_sizes")
def test_a_time_limit_stops_a_method_and_the_others_go_on(project, tmp_path):
    (project / "examples" / "plot_slow.py").write_text(
        '"""\nSlow\n====\n"""\nimport time\n\ndef quick(fmri_path):\n    return 1\n\n'
        "def slow(fmri_path):\n    time.sleep(60)\n\nMETHODS = [[slow], [quick]]\n"
    )
    try:
        path = save_run(tmp_path / "a.nii")
        answer = command("run", "slow", path, "--runs", 1, "--time-limit", "3s")
    finally:
        (project / "examples" / "plot_slow.py").unlink()
    assert answer.exit_code == 0
    assert "over time" in answer.output
    assert "quick " in answer.output
    assert "stopped after its time limit of 3" in answer.output


def test_run_keeps_results_apart_and_writes_them_where_it_is_told(project, fmri_path, tmp_path):
    published = {path: path.read_bytes() for path in (project / "results").glob("*.json")}
    target = tmp_path / "mine.json"
    answer = command("run", "small", fmri_path, "--runs", 1, "--json", target)
    assert answer.exit_code == 0
    assert "streamed" in answer.output
    _, described, results = store.read(target, Image)
    assert described.name == fmri_path.name
    assert {r.method for r in results} == {"streamed", "whole", "unpacked", "failing"}
    assert {path: path.read_bytes() for path in (project / "results").glob("*.json")} == published
    assert list(files.own_results_folder().glob("*.json"))


def test_run_overwrites_nothing_but_results(fmri_path):
    precious = fmri_path.read_bytes()
    with pytest.raises(StoreError, match="not a readable results file"):
        command("run", "small", fmri_path, "--json", fmri_path)
    assert fmri_path.read_bytes() == precious
    with pytest.raises(StoreError, match="folder does not exist"):
        command("run", "small", fmri_path, "--json", fmri_path.parent / "no" / "a.json")


def test_a_word_that_is_neither_task_nor_file_is_refused(fmri_path):
    with pytest.raises(DataError, match="is no task; there are: small"):
        command("run", "smal", fmri_path)
    with pytest.raises(DataError, match="does not exist"):
        command("run", "smal")


def test_list_has_a_line_for_each_method():
    assert "streamed  Add up volume by volume." in command("list").output
    found = json.loads(command("list", "--json").output)
    assert found[0]["methods"]["whole"] == "Add up all of it."


def test_predict_prints_a_table_or_json(fmri_path):
    text = command("predict", fmri_path).output
    assert "small.whole" in text
    assert "fits" in text
    content = json.loads(command("predict", fmri_path, "--json").output)
    assert content["shape"] == [8, 7, 6, 5]
    assert {entry["method"] for entry in content["methods"]} == {
        "streamed",
        "whole",
        "unpacked",
        "failing",
    }


def test_verify_prints_predicted_beside_measured(tmp_path):
    path = save_run(tmp_path / "large.nii.gz", shape=(64, 64, 40, 40))
    content = json.loads(command("predict", path, "--verify", "--json").stdout)
    whole = next(entry for entry in content["methods"] if entry["method"] == "whole")
    assert whole["measured_peak_bytes"] == pytest.approx(whole["peak_bytes"], rel=0.5)


def result_sets(fmri_path, tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    command("run", "small", fmri_path, "--runs", 2, "--json", first)
    content = json.loads(first.read_bytes())
    return first, second, content


def test_two_sets_are_compared_in_the_face_of_their_spread(fmri_path, tmp_path):
    first, second, content = result_sets(fmri_path, tmp_path)
    for entry in content["results"]:
        if entry["method"] == "whole":
            for run in entry["time_runs"]:
                run["wall_seconds"] *= 1000
    content["provenance"]["cpu"] = "Another <b>processor</b>"
    second.write_text(json.dumps(content))
    found = differences.between(first, second)
    rows = {(row.method, row.quantity): row for row in found.rows}
    assert rows["whole", "time"].verdict.startswith("slower")
    assert rows["streamed", "time"].verdict == differences.SAME
    assert any("Another" in remark for remark in found.remarks)
    back = differences.between(second, first)
    assert {row.verdict.split(",")[0] for row in back.rows if row.quantity == "time"} == {
        "faster",
        differences.SAME,
    }
    printed = command("compare", first, second)
    assert "small.whole" in printed.output
    assert json.loads(command("compare", first, second, "--json").output)["rows"]


def test_sets_of_different_files_are_refused_unless_that_is_meant(fmri_path, tmp_path):
    first, second, content = result_sets(fmri_path, tmp_path)
    content["data"]["sha256"] = "f" * 64
    second.write_text(json.dumps(content))
    with pytest.raises(DataError, match="--different-files"):
        differences.between(first, second)
    assert differences.between(first, second, different_files=True).rows


def test_folders_pair_a_method_on_the_same_file_alone(fmri_path, tmp_path):
    first, _, content = result_sets(fmri_path, tmp_path)
    for name, folder in (("a", "one"), ("b", "one"), ("a", "two"), ("b", "two")):
        content["data"] |= {"sha256": name * 64, "name": f"{name}.nii.gz"}
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.json").write_text(json.dumps(content))
        for entry in content["results"]:  # the other file takes a hundred times as long
            for run in entry.get("time_runs", ()):
                run["wall_seconds"] *= 100 if name == "a" else 0.01
    found = differences.between(tmp_path / "one", tmp_path / "two")
    assert {row.verdict for row in found.rows} == {differences.SAME}
    assert {row.file for row in found.rows} == {"a.nii.gz", "b.nii.gz"}
    assert found.table().headings[0] == "file"
    with pytest.raises(DataError, match="give a results file of each"):
        differences.between(tmp_path / "one", first, different_files=True)


def test_a_results_file_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(StoreError, match=r"There is no results file .*gone\.json"):
        differences.between(tmp_path / "gone.json", tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--task", "gone"], "Nothing is predicted for a task 'gone'; there are: small"),
        (["--task", "small", "--method", "small.whole"], "leave out --task"),
        (["--method", "small.whole", "--slurm", "--verify"], "--verify is about one file"),
    ],
)
def test_predict_refuses_what_it_could_only_pass_over(fmri_path, words, answer):
    found = CliRunner().invoke(__main__.main, ["predict", str(fmri_path), *words])
    assert found.exit_code
    assert answer in found.output + str(found.exception)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": 99}',
        b'{"schema": 2}',
        b'{"schema": 2, "provenance": {}, "data": {"shape": [1]}, "results": [1]}',
    ],
)
def test_a_results_file_that_is_none_is_refused(content, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"a\.json"):
        differences.between(path, path)


def test_a_hostile_results_file_cannot_steer_the_terminal(fmri_path, tmp_path):
    _, second, content = result_sets(fmri_path, tmp_path)
    for entry in content["results"]:
        entry["method"] += "\x1b[31m[bold]<script>"
    second.write_text(json.dumps(content))
    printed = command("compare", second, second).output
    assert "\x1b" not in printed
    assert "[bold]<script>" in printed
    content["results"][0]["time_runs"] = [{"wall_seconds": "1", "cpu_seconds": [], "x": {}}]
    second.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="damaged"):
        differences.between(second, second)


def test_the_run_of_an_example_prints_predictions(project, monkeypatch, capsys):
    from benchmarks.files import PROJECT

    monkeypatch.setenv("FMRI", str(project / "bold.nii.gz"))
    monkeypatch.setattr(sys, "argv", [""])
    runpy.run_path(str(PROJECT / "examples" / "plot_before_you_start.py"), run_name="__main__")
    assert "small.whole" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "value"), [("8GiB", 8 << 30), ("1.5 MiB", 3 << 19), ("2kb", 2000)]
)
def test_a_memory_limit_is_read_with_its_unit(text, value):
    assert Bounds.chosen(None, text).memory_bytes == value


@pytest.mark.parametrize("text", ["8", "x", "-1GiB", "0MiB", "1 parsec"])
def test_a_limit_that_is_none_is_refused(text):
    with pytest.raises(Exception, match="is not a size"):
        Bounds.chosen(None, text)


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("TIME_LIMIT", "10min")
    monkeypatch.setenv("MEMORY_LIMIT", "100MiB")
    assert Bounds.chosen() == Bounds(600.0, 100 * MIB)


def test_half_of_what_a_method_needs_is_not_stored(project, monkeypatch, tmp_path):
    """Predictions need both halves; a reader may look while they are measured."""
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(tmp_path / "results"))
    real = execute.carry_out

    def interrupted(prepared, *choices):
        if not prepared.weighed:  # the time of the first method
            raise KeyboardInterrupt
        return real(prepared, *choices)

    monkeypatch.setattr(execute, "carry_out", interrupted)
    with pytest.raises(KeyboardInterrupt):
        calibrate.calibrate(project / "bold.nii.gz")
    assert Workspace.chosen(project / "bold.nii.gz").small_files().all() == []


def test_a_method_with_a_new_size_is_measured_on_all_of_them(project, monkeypatch, tmp_path):
    shutil.copytree(project / "results", tmp_path / "results")
    monkeypatch.setenv("FMRI_BENCH_RESULTS", str(tmp_path / "results"))
    store = Workspace.chosen(project / "bold.nii.gz").small_files()
    gone = store.get("small@int16_nii_gz_wide", "failing")
    store.put(dropped=[gone])
    asked = []
    real = execute.carry_out
    monkeypatch.setattr(execute, "carry_out", lambda *a: asked.append(a) or real(*a))
    again = calibrate.calibrate(project / "bold.nii.gz")
    assert len(asked) == 1  # it fails in its first interpreter
    assert again.get("small@int16_nii_gz_wide", "failing").status == "raised"

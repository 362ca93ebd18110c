"""What is requested covers what was measured, by a margin that follows from it."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cgroups import command as in_cgroups
from cgroups import limited, remove_what_workers_left
from click.testing import CliRunner
from conftest import save_run
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import __main__, files
from benchmarks.errors import MethodError
from benchmarks.images import header
from benchmarks.images.image import Image
from benchmarks.prediction import predict, proof, request, small_files
from benchmarks.prediction.basis import Basis
from benchmarks.prediction.proof import Proof
from benchmarks.prediction.request import Pair, Share
from benchmarks.tasks import chapter, pasted
from benchmarks.tasks.task import example_paths, names_by_group
from benchmarks.units import GIB, MIB

#: A run of 288 MiB as float32.
LARGE = Image(Path("large_bold.nii.gz"), (64, 64, 36, 512), "float32", compression="gz")


@pytest.fixture(scope="module")
def basis():
    return Basis.of_reference()


def predicted(basis, free_bytes=64 * GIB, **choices):
    return predict.of_image(LARGE, basis, free_bytes, **{"processors": 8} | choices)


def row(found, name):
    return found.of_method(name).rows[0]


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (18, 18), (19, 19), (39, 38), (99, 95)])
def test_what_covers_is_so_large_a_ratio_of_those_measured(count, rank):
    assert request.covering([float(n) for n in range(count, 0, -1)]) == rank


def test_what_the_fit_leaves_over_counts_where_it_is_more(basis, monkeypatch):
    monkeypatch.setattr(request, "of_reference", lambda: (Pair("a", "b", "c", 0.5, 1),))
    request.margin.cache_clear()
    left_over = request.margin(basis, 1)
    monkeypatch.setattr(request, "of_reference", lambda: (Pair("a", "b", "c", 1.5, 1),))
    request.margin.cache_clear()
    unseen = request.margin(basis, 1)
    request.margin.cache_clear()
    assert 1 < left_over < 1.05
    assert unseen == 1.5


def test_predictions_of_all_memory_are_near_what_was_measured(basis):
    found = Proof(request.of_reference(), basis)
    assert sum(0.85 <= pair.ratio <= 1.15 for pair in found.pairs) >= 0.9 * len(found.pairs)
    assert sum(int(line[1]) for line in found.table().rows) == len(found.pairs)


def test_what_is_off_by_much_is_named(basis):
    found = Proof((Pair("a", "fine", "f", 1, 1), Pair("a", "off", "f", 2, 1)), basis)
    assert found.remarks == [
        "Off by more: a.off on f, 2.00 times.",
        "More than would have been requested: a.off on f, 2.00 times.",
    ]


def test_of_many_that_are_off_those_are_named_that_are_off_most(basis):
    pairs = tuple(Pair("a", f"m{n}", "f", 2 + n / 10, 1) for n in range(10))
    off = Proof(pairs, basis).remarks[0]
    assert off.startswith("Off by more: a.m9 on f, 2.90 times; a.m8 on f, 2.80 times")
    assert off.endswith("; 2 others are less far off.")
    assert off.count(" on f") == proof.MOST_NAMED


@pytest.mark.parametrize(("count", "covering"), [(19, "–"), (20, "20.0")])
def test_few_results_have_no_percentile(basis, count, covering):
    pairs = tuple(Pair("a", f"m{n}", "f", float(n), 1) for n in range(1, count + 1))
    table = Proof(pairs, basis).table()
    assert dict(zip(table.headings, table.rows[0], strict=True))["95% below"] == covering


def test_a_request_is_all_memory_and_the_margin(basis):
    found = row(predicted(basis), "mean_over_time.mean_isal")
    assert found.request_bytes == pytest.approx(found.whole_bytes * request.margin(basis, 1))
    assert found.processors == 1


def test_several_at_a_time_need_each_its_interpreter_and_share_and_one_more(basis):
    one = row(predicted(basis), "mean_over_time.mean_isal")
    three = row(predicted(basis, jobs=3), "mean_over_time.mean_isal")
    interpreter = one.whole_bytes - one.peak_bytes
    handing_out = request.handing_out()
    assert 0 < handing_out.each_bytes < handing_out.once_bytes < 100 * MIB
    workers = 3 * (one.whole_bytes + handing_out.each_bytes)
    expected = workers + interpreter + handing_out.once_bytes
    assert three.request_bytes == pytest.approx(request.margin(basis, 1) * expected)
    assert three.processors == 3


@given(
    whole=st.floats(MIB, 100 * GIB),
    part=st.floats(0, 1),
    usable=st.floats(0, 1000 * GIB),
    workers=st.integers(1, 2),
)
def test_the_most_that_fit_do_and_one_more_does_not(whole, part, usable, workers):
    share = Share(whole, part * whole, workers, 1.1)
    most = share.most(usable, 1e9) if usable < 1e3 * whole else 0
    assert not most or share.request_bytes(most) <= usable * (1 + 1e-9)
    if most or usable < 1e3 * whole:
        assert share.request_bytes(most + 1) > usable * (1 - 1e-9)


def test_no_more_at_once_than_there_are_processors():
    assert Share(MIB, 0, 1, 1.0).most(GIB, 3) == 3
    assert Share(MIB, 0, 2, 1.0).most(GIB, 3) == 1
    assert Share(MIB, 0, 1, 1.0).most(GIB, 0.5) == 1


def test_where_a_way_does_not_fit_the_fastest_that_does_is_named(basis):
    found = predicted(basis, 400 * MIB)
    whole = row(found, "mean_over_time.mean_nibabel")
    assert (whole.verdict, whole.at_once) == (predict.DOES_NOT_FIT, 0)
    group = [
        r for r in found.rows if r.task == "mean_over_time" and r.verdict != predict.DOES_NOT_FIT
    ]
    assert whole.instead == min(group, key=lambda r: r.wall_seconds)
    (line,) = (line for line in found.advice if line.startswith("mean_over_time: "))
    assert line.startswith(f"mean_over_time: {whole.instead.method} fits in the place of ")
    assert "mean_nibabel" in line
    assert line in str(found)
    assert line in found._repr_html_()
    entry = next(e for e in found.as_dict()["methods"] if e["method"] == "mean_nibabel")
    assert json.loads(json.dumps(entry))["instead"] == whole.instead.method


def test_a_way_that_puts_off_reading_takes_the_place_of_none(basis):
    found = predicted(basis, 250 * MIB)
    assert row(found, "load.nibabel_load").verdict != predict.DOES_NOT_FIT
    assert row(found, "load.get_fdata").instead is None
    assert "load: no method that does the same fits in the place of" in str(found)


def test_methods_are_grouped_as_when_they_are_measured():
    from benchmarks.tasks.task import task_named

    for name in ("mean_over_time", "extract_volume", "math_in_parallel"):
        methods = task_named(name).methods
        known = {method.name: method.group for method in methods}
        for index, group in enumerate(names_by_group(example_paths()[name])):
            found = {known[method] for method in group if method in known}
            assert found <= ({index} if len(set(known.values())) > 1 else {0})


def test_methods_that_share_work_do_so_among_as_many_as_is_said(basis):
    shared = {
        (costs.task, costs.method)
        for kind in small_files.KINDS
        for costs in basis.of_kind(kind)
        if costs.workers > 1
    }
    assert ("math_in_parallel", "twice_path") in shared
    assert ("mean_over_time", "mean_isal") not in shared
    for task, method in shared:
        text = pasted.pasted(example_paths()[task], method).code
        assert f"n_jobs={small_files.WORKERS}" in text, method


def command(*words):
    return CliRunner().invoke(__main__.main, [*map(str, words)])


def test_the_lines_for_slurm_ask_for_memory_and_processors_and_bound_threads(tmp_path):
    path = save_run(tmp_path / "bold.nii.gz")
    for method, jobs, processors in (
        ("mean_over_time.mean_isal", 1, 1),
        ("mean_over_time.mean_isal", 4, 4),
        ("math_in_parallel.twice_path", 3, 6),
    ):
        words = ("predict", path, "--method", method, "--jobs", jobs)
        (entry,) = json.loads(command(*words, "--json").output)["methods"]
        assert command(*words, "--slurm").output.splitlines() == [
            f"#SBATCH --cpus-per-task={processors}",
            f"#SBATCH --mem={math.ceil(entry['request_bytes'] / MIB)}M",
            "export OMP_NUM_THREADS=1",
        ]


def test_lines_for_slurm_are_about_one_way_that_works(tmp_path, basis):
    path = save_run(tmp_path / "bold.nii.gz")
    answer = command("predict", path, "--slurm")
    assert answer.exit_code == 2
    assert "name it with --method" in answer.output
    known = row(predicted(basis), "load.get_fdata")
    failed = replace(known, request_bytes=None, verdict="raised OSError: broken")
    with pytest.raises(MethodError, match=r"load\.get_fdata: raised OSError: broken"):
        request.slurm(failed)


def test_handing_out_takes_nothing_where_it_was_not_measured(monkeypatch):
    many = replace(chapter.MANY_IMAGES, form="gone")
    monkeypatch.setattr(request, "MANY_IMAGES", many)
    assert request.handing_out() == request.HandingOut(0, 0)


# In a cgroup that the kernel enforces.


#: Ways of which two have workers, each with a peak that is large beside its interpreters.
JOBS = [
    "load.get_fdata",
    "load.one_array",
    "mean_over_time.mean_nibabel",
    "mask_in_parallel.numpy_array",
    "mask_in_parallel.numpy_shared_memory",
]


#: On a machine that is busy, too.
JOB_SECONDS = 120


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Make a run of 37 MiB as int16 in a folder of its own."""
    folder = tmp_path_factory.mktemp("large")
    return save_run(folder / "bold.nii.gz", shape=(64, 64, 36, 128))


def run_in(limit_bytes, name, fmri_path):
    """Run a method as a script of its own in a cgroup with so much memory; return how it ended."""
    task, _, method = name.partition(".")
    code = pasted.pasted(example_paths()[task], method)
    script = fmri_path.with_name(f"{method}.py")
    script.write_text(f"{code.before}{code.code}\n\nresult = {method}({str(fmri_path)!r})\n")
    limits = (
        {"": {"memory.max": f"{limit_bytes}"}},
        {"memory": {"memory.limit_in_bytes": f"{limit_bytes}"}},
    )
    # As when it was measured: where indexed_gzip is there, nibabel would read with it.
    environment = os.environ | {"PYTHONPATH": str(files.HIDDEN)}
    said = script.with_suffix(".txt")
    try:
        # Not a pipe: workers of a process that was ended would hold it open.
        with limited(*limits) as folders, said.open("w") as stream:
            words = in_cgroups(folders, sys.executable, script)
            with subprocess.Popen(words, env=environment, stderr=stream) as job:
                try:
                    job.wait(JOB_SECONDS)
                finally:
                    job.kill()  # which does nothing where it has ended
    except OSError as error:
        pytest.skip(f"no cgroup with a limit can be made here: {error}")
    remove_what_workers_left(job.pid)
    return job.returncode, said.read_text()


@pytest.mark.alone
@pytest.mark.parametrize("name", JOBS)
def test_a_job_ends_well_with_what_is_requested_and_not_with_two_thirds(name, large, basis):
    found = row(predict.of_image(header.read(large), basis, 64 * GIB), name)
    granted = math.ceil(found.request_bytes)
    code, said = run_in(granted, name, large)
    assert code == 0, said
    code, said = run_in(2 * granted // 3, name, large)
    # The kernel ended it, or a worker of it, or refused memory.
    assert code in {-9, 137} or re.search(r"TerminatedWorkerError|MemoryError", said), said

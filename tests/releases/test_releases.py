import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import room
from click.testing import CliRunner
from conftest import save_run

from benchmarks import Across, __main__, files
from benchmarks.claims import judge
from benchmarks.claims.claim import Claim, Verdict
from benchmarks.claims.expressions import Expression
from benchmarks.comparisons.site import Site
from benchmarks.errors import MethodError
from benchmarks.files import PROJECT
from benchmarks.images.image import Image
from benchmarks.releases import environments, measure
from benchmarks.releases.environments import RELEASES, Release
from benchmarks.results import reference_store
from benchmarks.results.statistics import Sample
from benchmarks.results.store import at, locked
from benchmarks.runner import execute, self_check
from benchmarks.tasks import chapter
from benchmarks.tasks import task as task_module
from benchmarks.tasks.chapter import About

EXAMPLE = """
import os
import time
import nibabel as nib
import numpy as np
from joblib import Parallel, delayed

def quick(fmri_path):
    return nib.load(fmri_path)

def slow_before(fmri_path):
    if os.environ["RELEASE"] in ("1.0", "1.1"):
        time.sleep(0.05)
    return nib.load(fmri_path)

def not_in_the_first(fmri_path):
    if os.environ["RELEASE"] == "1.0":
        raise ImportError("cannot import name 'new'\\nand a second line")
    return 3

def other_in_the_last(fmri_path):
    return 40 if os.environ["RELEASE"] == "1.2" else 3

SEEN = set()

def in_new_workers(fmri_path):
    workers = set(Parallel(n_jobs=2)(delayed(os.getpid)() for _ in range(2)))
    new = not workers & SEEN
    SEEN.update(workers)
    return new

COLD_WORKERS = ["in_new_workers"]
METHODS = [[quick, slow_before], [not_in_the_first], [other_in_the_last], [in_new_workers]]
"""


OTHERS = {"nibabel": "5.0", "numpy": "2.0"}


def _pointed_at(folder, patch):
    """Take three releases for those that are compared; each is this interpreter."""
    patch.setattr(files, "EXAMPLES", folder / "examples")
    patch.setenv("FMRI", str(folder / "bold.nii.gz"))
    patch.setenv("FMRI_BENCH_RESULTS", str(folder / "results"))
    patch.setenv("FMRI_BENCH_CACHE", str(folder / "cache"))
    patch.setattr(environments, "NOX", folder / ".nox")
    patch.setattr(chapter, "TASKS", {"small": About(released="")})
    patch.setattr(self_check, "ensure", lambda *_: [])
    # Each says that it has another nilearn, and tells its version by a variable.
    patch.setattr(measure, "_packages", lambda python: {"nilearn": python.name, **OTHERS})
    found = [Release(version, "5.0", f"nilearn-{version}") for version in ("1.0", "1.1", "1.2")]
    patch.setattr(environments, "RELEASES", tuple(found))
    for one in found:
        python = folder / one.nilearn
        python.write_text(f'#!/bin/sh\nRELEASE={one.nilearn} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        one.write_mark(python)
    task_module.task_named.cache_clear()
    reference_store.opened.cache_clear()
    return found


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Measure once for all tests here."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "examples").mkdir()
    (folder / "examples" / "plot_small.py").write_text(EXAMPLE)
    save_run(folder / "bold.nii.gz")
    with room.alone(), pytest.MonkeyPatch.context() as patch:
        _pointed_at(folder, patch)
        measure.measure()
    return folder


@pytest.fixture
def three(once, tmp_path, monkeypatch):
    """Give three releases that are measured."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    yield _pointed_at(tmp_path, monkeypatch)
    task_module.task_named.cache_clear()
    reference_store.opened.cache_clear()


def runs_of(release):
    """Return how many runs there are of each method."""
    found = [at(path, Image) for path in release.results.glob("*.json")]
    return {
        result.method: (len(result.time_runs), len(result.memory_runs), result.status)
        for opened in found
        for result in opened.all()
    }


def test_every_release_is_measured_and_what_it_cannot_run_is_recorded(three):
    all_runs = len(measure.TURNS) * 2
    done, cold = (all_runs, all_runs, "ok"), (all_runs, len(measure.COLD_TURNS), "ok")
    warm = ("quick", "slow_before", "not_in_the_first", "other_in_the_last")
    expected = dict.fromkeys(warm, done) | {"in_new_workers": cold}
    for release in three[1:]:
        assert runs_of(release) == expected
    assert runs_of(three[0]) == expected | {"not_in_the_first": (0, 0, "raised")}
    across = Across.in_use()
    failed = across.under[0].find("small", "not_in_the_first")
    assert failed.message == "raised ImportError: cannot import name 'new'"


@pytest.mark.usefixtures("three")
def test_a_call_that_has_to_start_its_workers_does():
    for release in Across.in_use().under:
        assert release.find("small", "in_new_workers").returned.text == "True"


@pytest.mark.usefixtures("three")
def test_what_changed_is_found_and_named(monkeypatch):
    read = Across.samples

    def steady(across, task, method, quantity):
        """Take the time of methods that are not slow on purpose from no busy machine."""
        found = read(across, task, method, quantity)
        if (method, quantity) == ("slow_before", "time"):
            return found
        return [sample and Sample((1.0,)) for sample in found]

    monkeypatch.setattr(Across, "samples", steady)
    across = Across.in_use()
    changes = {(c.method, c.heading): c for c in across.changes()}
    assert changes.keys() == {
        ("slow_before", "time"),
        ("not_in_the_first", "returns"),
        ("other_in_the_last", "returns"),
    }
    assert across.under[changes["slow_before", "time"].index].title == "nilearn 1.2, nibabel 5.0"
    assert changes["slow_before", "time"].words.startswith("faster, ")
    other = changes["other_in_the_last", "returns"]
    assert (other.before, other.after) == ("3", "40")
    table = across.table("small", "time")
    marked = {row[0]: [cell.startswith("→") for cell in row[1:]] for row in table.texts}
    assert marked["slow_before"] == [False, False, True]
    assert marked["quick"] == [False] * 3
    assert ("not_in_the_first", "raised") in [row[:2] for row in table.texts]
    figure = across.plot("small", "time")
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["quick", "slow_before"]
    plt.close(figure)


def test_what_is_measured_is_not_measured_again(three, capsys):
    before = [path.read_bytes() for r in three for path in sorted(r.results.glob("*"))]
    measure.measure()
    assert before == [path.read_bytes() for r in three for path in sorted(r.results.glob("*"))]
    measure.measure(again=True)
    assert before != [path.read_bytes() for r in three for path in sorted(r.results.glob("*"))]
    assert "releases: small" in capsys.readouterr().err


def test_it_goes_on_where_it_was_interrupted(three, monkeypatch):
    for release in three:
        shutil.rmtree(release.results)
    # The methods of the first release run each on their own, after one of them failed.
    real, left = execute.carry_out, [5]

    def interrupted(order):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(order)

    with monkeypatch.context() as patch:
        patch.setattr(execute, "carry_out", interrupted)
        with pytest.raises(KeyboardInterrupt):
            measure.measure()
    assert [runs_of(r).get("quick", (0,))[0] for r in three] == [2, 0, 0]
    done = []
    monkeypatch.setattr(
        execute, "carry_out", lambda order: done.append(order.origin.python) or real(order)
    )
    measure.measure()
    assert {runs_of(r)["quick"][0] for r in three} == {4}
    # The turn that was done is not done again: the others catch up first.
    assert Path(done[0]).name == "1.1"


@pytest.mark.usefixtures("three")
def test_a_second_measurement_is_refused_while_the_first_runs():
    with (
        locked(environments.releases_folder(), wait=False),
        pytest.raises(MethodError, match="measured already"),
    ):
        measure.measure(again=True)


def test_a_release_without_results_is_not_measured_alone(three):
    shutil.rmtree(three[2].results)
    before = [path.read_bytes() for r in three[:2] for path in sorted(r.results.glob("*"))]
    measure.measure()
    after = [path.read_bytes() for r in three[:2] for path in sorted(r.results.glob("*"))]
    assert all(one != two for one, two in zip(before, after, strict=True))
    assert {runs_of(r)["quick"][0] for r in three} == {4}


def test_methods_that_disagree_under_a_release_have_no_figures_there(three, tmp_path):
    path = tmp_path / "examples" / "plot_small.py"
    path.write_text(
        EXAMPLE + "\ndef wrong(fmri_path):\n"
        "    img = nib.load(fmri_path)\n"
        "    factor = 2 if os.environ['RELEASE'] == '1.1' else 1\n"
        "    return nib.Nifti1Image(factor * img.get_fdata(), img.affine)\n"
        "\nMETHODS[0].append(wrong)\n"
    )
    measure.measure()
    assert [runs_of(r)["wrong"][2] for r in three] == ["ok", "disagrees", "ok"]


@pytest.mark.usefixtures("three")
def test_without_an_environment_it_is_a_sentence(tmp_path):
    shutil.rmtree(tmp_path / ".nox")
    with pytest.raises(MethodError, match="make releases"):
        measure.measure()


@pytest.mark.usefixtures("three")
def test_results_from_before_a_change_of_code_are_left_out_and_named(tmp_path):
    before = {row[1] for row in Across.in_use().methods("small")}
    path = tmp_path / "examples" / "plot_small.py"
    path.write_text(path.read_text().replace("return 3\n\ndef other", "return 5\n\ndef other"))
    task_module.task_named.cache_clear()
    across = Across.in_use()
    across.changes()
    changed = {name.partition(".")[2] for name in across.outdated()}
    assert changed
    assert {row[1] for row in across.methods("small")} == before - changed
    assert "since their code has changed: small." in across.caption
    assert "make releases" in across.caption


def claim(value, **choices):
    return Claim("Text.", Expression.parse(value), choices.pop("at_least", None), None, **choices)


@pytest.mark.usefixtures("three")
def test_claims_are_judged_by_the_releases_that_they_are_about():
    across, found = Across.in_use(), Site.in_use()
    bound = {"at_least": 10, "releases": (("nilearn", ">=1.0,<1.2"),)}
    slow = claim("small.slow_before.time / small.quick.time", **bound)
    judged = judge.of_pages(slow, found, lambda: across)
    assert judged.verdict is Verdict.HOLDS
    assert judged.value.count("under nilearn") == 2
    wrong = replace(slow, at_least=1e9)
    assert judge.of_pages(wrong, found, lambda: across).verdict is Verdict.CONTRADICTED
    everywhere = replace(slow, releases=())
    assert [under.versions[0] for _, under, _ in judge.contradicted([everywhere], across)] == [
        "1.2"
    ]


@pytest.mark.parametrize(
    ("method", "release", "verdict"),
    [
        ("slow_before", "1.2", Verdict.HOLDS),
        ("slow_before", "1.1", Verdict.CONTRADICTED),
        ("slow_before", "no release", Verdict.CONTRADICTED),
        ("quick", "no release", Verdict.HOLDS),
        ("quick", "1.2", Verdict.CONTRADICTED),
    ],
)
@pytest.mark.usefixtures("three")
def test_claims_about_the_release_that_changed_a_figure(method, release, verdict):
    across = Across.in_use()
    stated = claim(f"small.{method}.time", changed_in=release)
    assert judge.of_pages(stated, Site.in_use(), lambda: across).verdict is verdict


@pytest.mark.usefixtures("three")
def test_the_command_prints_what_changed_and_fails_for_a_contradicted_claim(monkeypatch):
    slow = claim("small.slow_before.time / small.quick.time", at_least=10)
    changed = claim("small.slow_before.time", changed_in="1.2")
    monkeypatch.setattr(judge, "collected_claims", lambda: [slow, changed])
    answer = CliRunner().invoke(__main__.main, ["releases"], catch_exceptions=False)
    assert answer.exit_code == 1
    assert re.search(r"small.slow_before +1.2 / 5.0 +time", answer.output)
    assert re.search(r"CONTRADICTED .*Text. \(nilearn 1.2", answer.output)
    # What no release makes true is a matter of the run.
    never = replace(slow, at_least=1e9)
    monkeypatch.setattr(judge, "collected_claims", lambda: [never, changed])
    answer = CliRunner().invoke(__main__.main, ["releases"], catch_exceptions=False)
    assert answer.exit_code == 0
    assert "1 holds" in answer.output


def test_folders_of_two_releases_can_be_compared(three):
    folders = [str(release.results) for release in three[1:]]
    answer = CliRunner().invoke(__main__.main, ["compare", *folders], catch_exceptions=False)
    assert answer.exit_code == 0
    assert re.search(r"small.slow_before +time .* faster", answer.output)
    assert "nilearn 1.1" in answer.output


def test_the_list_of_releases_has_the_newest_last_and_no_name_twice():
    assert [release.is_newest for release in RELEASES] == [False] * (len(RELEASES) - 1) + [True]
    assert len({release.name for release in RELEASES}) == len(RELEASES)
    assert {"nilearn==0.13.1", "nibabel==5.3.3"} in [set(r.requirements) for r in RELEASES]


def test_nox_has_a_session_for_each_release():
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "nox",
            "--list",
            "--noxfile",
            str(PROJECT / "benchmarks/releases/noxfile.py"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    for release in RELEASES:
        assert f"release({release.name})" in answer.stdout


def test_a_mark_is_old_when_what_it_was_made_of_changes(three, monkeypatch):
    assert three[0].is_ready()
    monkeypatch.setattr(environments, "shared", lambda: ["numpy==1"])
    assert not three[0].is_ready()
    newest = Release("", "", "newest")
    assert not newest.is_ready()
    newest.write_mark(Path(sys.executable))
    assert newest.is_ready()


def test_a_store_is_about_one_release(three):
    paths = [path for release in three for path in release.results.glob("*.json")]
    assert len(paths) == len(three)
    assert [at(path, Image).provenance.packages["nilearn"] for path in paths] == [
        "1.0",
        "1.1",
        "1.2",
    ]

"""The command line: ``fmri-bench``, or ``python -m benchmarks``."""

from __future__ import annotations

import functools
import json
import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks import files
from benchmarks.errors import BenchmarkError, DataError, FigureError
from benchmarks.units import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.comparisons.own_file import Verified
    from benchmarks.prediction.pipelines import Requests
    from benchmarks.prediction.predict import Predictions
    from benchmarks.runner.schedule import Bounds

# A command imports what it needs: nilearn takes two seconds, and `predict` none of them.

_HELP = {"help_option_names": ["-h", "--help"]}


def _examples(*lines: str) -> str:
    return "\n".join(["\b", "Examples:", *(f"  $ fmri-bench {line}" for line in lines)])


def _json_option(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def _bounds(time_limit: str | None, memory_limit: str | None) -> Bounds:
    from benchmarks.runner.schedule import Bounds  # noqa: PLC0415

    return Bounds.chosen(time_limit, memory_limit)


def _limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that bound a run, by the variables that `make` knows too."""
    for name, variable, what, example in (
        ("--time-limit", "TIME_LIMIT", "an interpreter that runs longer", "90 or 10min"),
        ("--memory-limit", "MEMORY_LIMIT", "a run that holds more", "500MiB or 8GiB"),
    ):
        command = click.option(
            name, metavar="AMOUNT", help=f"Stop {what}: {example}. Else by {variable}."
        )(command)
    return command


def _listed() -> list[dict[str, Any]]:
    """Return the tasks and their methods, each with one line."""
    from benchmarks.tasks import task as tasks  # noqa: PLC0415

    found = []
    for name, path in tasks.example_paths().items():
        task = tasks.from_example(path)
        title = path.read_text(encoding="utf-8").split("\n", 2)[1]
        methods = {method.name: method.summary for method in task.methods}
        found.append({"task": name, "title": title, "methods": methods, "absent": task.absent})
    return found


def _list_text(found: list[dict[str, Any]]) -> str:
    """Return the list for a terminal."""
    lines = []
    for entry in found:
        width = max(map(len, entry["methods"]))
        lines += [f"{entry['task']}: {entry['title']}"]
        lines += [f"  {name:<{width}}  {line}" for name, line in entry["methods"].items()]
        lines += [
            f"  {name}: {program} is not installed" for name, program in entry["absent"].items()
        ]
        lines += [""]
    return "\n".join(lines).rstrip()


def _tasks_and_file(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Tell the names of tasks from the path of a file: the last word may be one."""
    from benchmarks.tasks.task import example_paths  # noqa: PLC0415

    known = example_paths()
    names = [word for word in words if word in known]
    others = [word for word in words if word not in known]
    if len(others) > 1 or (others and others[0] != words[-1]):
        raise DataError(
            f"{printable(others[0])} is no task; there are: {', '.join(known)}. The file "
            "comes last."
        )
    return names or list(known), others[0] if others else None


def _of_the_repository(command: Callable[..., None]) -> Callable[..., None]:
    """Have a command that is about the pages, or has to change the package, say where it works."""

    @functools.wraps(command)
    def refused(*_words: Any, **_options: Any) -> None:
        raise FigureError(
            f"fmri-bench {command.__name__} is about the pages and the results of the project. "
            "Run it in a checkout of that; an installed package does not have them."
        )

    return refused if files.INSTALLED else command


def _keep() -> str:
    """Keep what was measured here of the file in use as reference results; say what was kept."""
    from benchmarks.comparisons.site import Site  # noqa: PLC0415
    from benchmarks.releases.changes import Across, measured_here  # noqa: PLC0415
    from benchmarks.results import reference_store  # noqa: PLC0415
    from benchmarks.tasks.task import example_paths  # noqa: PLC0415

    site = Site.in_use()
    if site.is_reference:
        raise FigureError("With MEASURE=0 nothing is measured that could be kept.")
    kept = []
    if any(result.task in example_paths() for result in site.store.all()):
        reference_store.write(site.stores())
        kept.append("of the site")
    under = measured_here(site.image)
    if len(under) > 1:
        reference_store.write(Across(tuple(under)).stores)
        kept.append(f"of {len(under)} releases")
    described = site.image.description
    if not kept:
        raise FigureError(f"Nothing was measured here of {described} Run: make releases.")
    return f"Results {' and '.join(kept)} are the reference now: {described}"


@click.group(context_settings=_HELP, epilog="Every command has its own --help, with examples.")
@click.version_option(package_name="neuroimaging-performance")
def main() -> None:
    """Measure time and memory of ways to work with a BOLD run, or predict them."""


@main.command("list", epilog=_examples("list"))
@_json_option("the list")
def list_(*, as_json: bool) -> None:
    """List the tasks and their methods."""
    found = _listed()
    click.echo(json.dumps(found, indent=1) if as_json else _list_text(found))


@main.command(
    epilog=_examples(
        "run mean_over_time my_bold.nii.gz",
        "run load mean_over_time my_bold.nii.gz --runs 9 --json mine.json",
        "run load my_bold.nii.gz --fresh",
        "run my_bold.nii.gz --memory-limit 4GiB --time-limit 10min",
        "run many_images my_bold.nii.gz --scheduler tcp://10.0.0.1:8786",
    )
)
@click.argument("words", metavar="[TASK]... [FILE]", nargs=-1)
@click.option("--runs", type=click.IntRange(1), help="Time runs of each method (5).")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Also write them here.")
@click.option("--fresh", is_flag=True, help="Measure again what is stored.")
@click.option("--scheduler", metavar="ADDRESS", help="Measure many_images on this Dask.")
@_limit_options
def run(
    words: tuple[str, ...],
    runs: int | None,
    target: Path | None,
    scheduler: str | None,
    *,
    fresh: bool,
    **limits: str,
) -> None:
    """Measure tasks on a file of your own.

    All of them by default. A table of each is printed. The results are kept, apart from those of
    the site, and a second call measures what is missing or has changed; everything with --fresh.
    A method that would need more memory than is free is not run.

    Images for the workers of a scheduler are put into the folder of temporary files. If they are
    other machines, set TMPDIR to a folder that all of them share.
    """
    from benchmarks.comparisons import cluster, own_file  # noqa: PLC0415

    names, path = _tasks_and_file(words)
    if scheduler is None:
        parts = own_file.parts(names, runs, _bounds(**limits), again=fresh or None)
        for found in own_file.run(parts, path, target=target):
            click.echo(f"{found}\n")
        return
    wanted = cluster.parts(scheduler, names, runs, _bounds(**limits))
    folder = cluster.results_folder(scheduler)
    for found in own_file.run(wanted, path, target=target, folder=folder):
        click.echo(f"{cluster.text(found, scheduler)}\n")


@main.command(epilog=_examples("submit", "submit my_bold.nii.gz"))
@click.argument("fmri_path", metavar="[FILE]", required=False)
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--runs", type=click.IntRange(1), help="Time runs of each method (5).")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Write it into this folder.")
@_limit_options
def submit(
    fmri_path: str | None,
    tasks: tuple[str, ...],
    runs: int | None,
    folder: Path | None,
    **limits: str,
) -> None:
    """Measure this machine for the page on machines.

    On a standard file, and on a file of yours beside it. The gauge is checked first. What is
    written has no path, no name of a file and none of a person. Look at it, and open a pull
    request that adds it to benchmarks/results/machines/.
    """
    from benchmarks.comparisons import own_file  # noqa: PLC0415
    from benchmarks.releases import submission  # noqa: PLC0415

    for found in own_file.submitted(fmri_path, tasks, runs, _bounds(**limits)):
        if not isinstance(found, submission.Submission):
            click.echo(f"{found}\n")
            continue
        path = submission.write(found, folder)
        click.echo(f"{found.title}: what can be handed in is in {path}.")


def _check_options(
    tasks: Sequence[str],
    method: str | None,
    limits: dict[str, str],
    *,
    slurm: bool,
    verify: bool,
) -> None:
    """Refuse options of `predict` that do not go together."""
    if slurm and not method:
        raise click.UsageError("--slurm is about one method; name it with --method TASK.METHOD.")
    if not verify and any(limits.values()):
        raise click.UsageError("Limits are for the runs of --verify, and there are none.")
    if method and tasks:
        raise click.UsageError("--method names a task already; leave out --task.")


@main.command(
    epilog=_examples(
        "predict my_bold.nii.gz",
        "predict my_bold.nii.gz --task mean_over_time --verify",
        "predict my_bold.nii.gz --method mean_over_time.mean_isal --jobs 8 --slurm",
        "predict bids_folder --method mean_over_time.mean_isal",
    )
)
@click.argument("fmri_paths", metavar="FILE...", nargs=-1, required=True)
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--method", metavar="TASK.METHOD", help="Only this method, for each file.")
@click.option(
    "--jobs", type=click.IntRange(1), default=1, help="How many files at a time, a process each."
)
@click.option("--slurm", is_flag=True, help="Print the lines for a script of SLURM instead.")
@click.option("--verify", is_flag=True, help="Also run the methods that fit.")
@_limit_options
@_json_option("the predictions")
def predict(  # noqa: PLR0913 - a command has as many options as it needs
    fmri_paths: tuple[str, ...],
    tasks: tuple[str, ...],
    method: str | None,
    jobs: int,
    *,
    slurm: bool,
    verify: bool,
    as_json: bool,
    **limits: str,
) -> None:
    """Tell what each method would need for a file.

    All memory, what to request for it with a margin, whether so much is free (see: fmri-bench
    machine), and what fits in the place of a method that does not. Of several files, or those of a
    BIDS folder, the largest counts; with --method, each has a row.

    Nothing but headers is read. The figures rest on what this machine took for small files of the
    same kind (see: fmri-bench calibrate).
    """
    from benchmarks.prediction import pipelines, request  # noqa: PLC0415

    _check_options(tasks, method, limits, slurm=slurm, verify=verify)
    images, basis = pipelines.images(fmri_paths), pipelines.basis()
    if verify and (slurm or (method and len(images) > 1)):
        raise click.UsageError("--verify is about one file, and prints a table of its own.")
    found: Predictions | Verified | Requests
    if method and len(images) > 1:
        found = pipelines.of_images(images, method, basis, jobs=jobs)
    else:
        found = pipelines.of_largest(images, basis, tasks, method, jobs=jobs)
    if slurm:
        click.echo(request.slurm(found.largest))
        return
    if verify and not isinstance(found, pipelines.Requests):
        found = _verified(found, **limits)
    click.echo(json.dumps(found.as_dict(), indent=1) if as_json else str(found))


def _verified(found: Predictions, **limits: str) -> Verified:
    """Run the methods that fit, and put what was measured beside what was predicted."""
    from benchmarks.comparisons import own_file  # noqa: PLC0415

    return own_file.verified(found, _bounds(**limits))


@main.command(epilog=_examples("machine"))
@_json_option("the bounds")
def machine(*, as_json: bool) -> None:
    """Tell how much memory and how many processors may be used here.

    Every bound is listed with where it comes from: the machine, cgroups of a container or a job,
    variables of a batch system, limits of the shell. The tightest counts, for every other command.
    """
    from benchmarks.report.bounds import Bounds  # noqa: PLC0415

    found = Bounds.now()
    click.echo(json.dumps(found.as_dict(), indent=1) if as_json else str(found))


@main.command(
    epilog=_examples(
        "run load my_bold.nii.gz --json before.json", "compare before.json after.json"
    )
)
@click.argument("first", type=click.Path(path_type=Path), metavar="A.json")
@click.argument("second", type=click.Path(path_type=Path), metavar="B.json")
@click.option("--different-files", is_flag=True, help="Compare even if the files differ.")
@_json_option("the rows")
def compare(first: Path, second: Path, *, different_files: bool, as_json: bool) -> None:
    """Put two result sets side by side.

    They may be of two machines, of two versions, of before and after.

    A difference counts only where the runs of A and B do not overlap. Folders of results files
    can be compared as well.
    """
    from benchmarks.comparisons import result_sets  # noqa: PLC0415

    found = result_sets.between(first, second, different_files=different_files)
    click.echo(json.dumps(found.as_dict(), indent=1) if as_json else str(found))


@main.command(epilog=_examples("check"))
@_json_option("every claim")
@_of_the_repository
def check(*, as_json: bool) -> None:
    """Judge every claim of the site.

    The exit code is 1 if one is contradicted.
    """
    from benchmarks.claims import judge  # noqa: PLC0415
    from benchmarks.comparisons.site import Site  # noqa: PLC0415
    from benchmarks.releases.changes import Across  # noqa: PLC0415

    rows = judge.rows(judge.written_claims(), Site.in_use(), Across.in_use)
    click.echo(json.dumps(rows, indent=1) if as_json else judge.text(rows))
    if judge.has_contradicted(rows):
        sys.exit(1)


@main.command(epilog=_examples("calibrate my_bold.nii.gz", "calibrate --all", "calibrate --prove"))
@click.argument("fmri_path", metavar="[FILE]", required=False)
@click.option("--all", "every_kind", is_flag=True, help="Of other types and endings as well.")
@click.option("--prove", is_flag=True, help="Of all, and of files that no fit has seen.")
def calibrate(fmri_path: str | None, *, every_kind: bool, prove: bool) -> None:
    """Measure every method on small files like FILE, of the same type and ending.

    That is what `predict` rests on. It takes some minutes, once; with --all, five times as many.
    """
    from benchmarks.prediction import calibrate as calibration  # noqa: PLC0415

    if prove:
        click.echo(calibration.prove(fmri_path))
        return
    store = calibration.calibrate(fmri_path, every_kind=every_kind)
    click.echo(f"What small files took is in {store.path}.")


@main.command(epilog=_examples("releases"))
@_of_the_repository
def releases() -> None:
    """Measure under several releases of nilearn and nibabel.

    In turns, in the environments that nox makes first. What changed is printed, and every claim
    of the site that a release is about is judged by it. The exit code is 1 if one is
    contradicted.
    """
    from benchmarks.claims import judge  # noqa: PLC0415
    from benchmarks.releases import measure as them  # noqa: PLC0415
    from benchmarks.releases.changes import Across  # noqa: PLC0415
    from benchmarks.runner.schedule import asked_again  # noqa: PLC0415

    them.measure(again=asked_again())
    across = Across.in_use()
    rows = judge.rows_of_releases(judge.collected_claims(), across)
    for text in (across, judge.text(rows)):
        click.echo(f"\n{text}")
    if judge.has_contradicted(rows):
        sys.exit(1)


@main.command(epilog=_examples("reference"))
@_of_the_repository
def reference() -> None:
    """Keep what is measured here as the results that come with the project.

    Those of the site, and those under several releases, as far as the file was measured.
    """
    click.echo(_keep())


@main.command(epilog=_examples("asv folder"))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def asv(folder: Path) -> None:
    """Write the methods as benchmarks of asv.

    Into a folder that asv runs as it stands, with a file for each task. In the folder of another
    project's benchmarks, the files run beside what is there.
    """
    from benchmarks.releases import asv as benchmarks_of_asv  # noqa: PLC0415

    try:
        written = benchmarks_of_asv.write(folder)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be written: {error.strerror}.") from error
    click.echo(f"Benchmarks of {len(written)} tasks are in {folder}: asv run --quick")


@main.command()
def file() -> None:
    """Say which file the site measures on.

    And why, after a look whether it is fit for that.
    """
    from benchmarks.images.workspace import Workspace  # noqa: PLC0415

    workspace = Workspace.ready()
    image = workspace.image
    if workspace.is_reference:
        said = f"Nothing is measured (MEASURE=0). Reference results: {image.description}"
    else:
        said = f"In {image.path.parent}: {image.description} {image.reason}"
    click.echo(said)


@main.command()
@click.argument("names", metavar="[TASK]...", nargs=-1)
def measure(names: tuple[str, ...]) -> None:
    """Measure tasks for the site.

    All of them by default, on the file that FMRI, DATA and CONCAT name.
    """
    os.environ.setdefault("MPLBACKEND", "agg")  # the examples draw plots too
    import matplotlib.pyplot as plt  # noqa: PLC0415 - slow, and no other command needs it

    from benchmarks.comparisons import ahead  # noqa: PLC0415
    from benchmarks.images.workspace import Workspace  # noqa: PLC0415
    from benchmarks.runner.schedule import Plan  # noqa: PLC0415
    from benchmarks.tasks import task  # noqa: PLC0415

    wanted = names or tuple(task.example_paths())
    ahead.expect(wanted, Workspace.ready(), Plan.of())
    for name in wanted:
        path = task.task_named(name).path
        sys.argv = [str(path)]  # what else the command line has is not for the example
        runpy.run_path(str(path), run_name="__main__")
        plt.close("all")


def entry() -> None:
    """Run the command line; an error of ours is a sentence and exit code 2."""
    try:
        main()
    except BenchmarkError as error:
        click.echo(f"Error: {printable(str(error))}", err=True)
        sys.exit(2)
    except OSError as error:  # which nobody has foreseen where it came up
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        click.echo(f"Error: {printable(what)}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    entry()

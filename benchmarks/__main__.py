"""The command line: ``fmri-bench``, or ``python -m benchmarks``."""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import units
from .errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .own import Verified
    from .prediction import Predictions
    from .stops import Limits

# A command imports what it needs: nilearn takes two seconds, and `predict` none of them.

_HELP = {"help_option_names": ["-h", "--help"]}


def _examples(*lines: str) -> str:
    return "\n".join(["\b", "Examples:", *(f"  $ fmri-bench {line}" for line in lines)])


def _json_option(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def _limits(time_limit: str | None, memory_limit: str | None) -> Limits:
    from .stops import Limits  # noqa: PLC0415

    return Limits.chosen(time_limit, memory_limit)


def _limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that set a run's limits, by the variables that `make` knows too."""
    for name, variable, what, example in (
        ("--time-limit", "TIME_LIMIT", "an interpreter that runs longer", "90 or 10min"),
        ("--memory-limit", "MEMORY_LIMIT", "a run that holds more", "500MiB or 8GiB"),
    ):
        command = click.option(
            name, metavar="AMOUNT", help=f"Stop {what}: {example}. Else by {variable}."
        )(command)
    return command


@click.group(context_settings=_HELP, epilog="Every command has its own --help, with examples.")
@click.version_option(package_name="neuroimaging-performance")
def main() -> None:
    """Measure time and memory of ways to work with a BOLD run, or predict them."""


@main.command("list", epilog=_examples("list"))
@_json_option("the list")
def list_(*, as_json: bool) -> None:
    """List the tasks and their methods."""
    from . import own  # noqa: PLC0415

    found = own.listed()
    click.echo(json.dumps(found, indent=1) if as_json else own.list_text(found))


@main.command(
    epilog=_examples(
        "run mean_over_time my_bold.nii.gz",
        "run load mean_over_time my_bold.nii.gz --runs 9 --json mine.json",
        "run my_bold.nii.gz --memory-limit 4GiB --time-limit 10min",
        "run many_images my_bold.nii.gz --scheduler tcp://10.0.0.1:8786",
    )
)
@click.argument("words", metavar="[TASK]... [FILE]", nargs=-1)
@click.option("--runs", type=click.IntRange(1), help="Time runs of each method (5).")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Also write them here.")
@click.option("--scheduler", metavar="ADDRESS", help="Measure many_images on this Dask.")
@_limit_options
def run(
    words: tuple[str, ...],
    runs: int | None,
    target: Path | None,
    scheduler: str | None,
    **limits: str,
) -> None:
    """Measure tasks on a file of your own.

    All of them by default. A table of each is printed. The results are kept apart from those
    of the site. A method that would need more memory than is free is not run.

    Images for the workers of a scheduler are put into the folder of temporary files. If they are
    other machines, set TMPDIR to a folder that all of them share.
    """
    from . import clusters, own  # noqa: PLC0415

    names, path = own.tasks_and_file(words)
    if scheduler is None:
        for found in own.run(own.parts(names, runs, _limits(**limits)), path, target=target):
            click.echo(f"{found}\n")
        return
    wanted = clusters.parts(scheduler, names, runs, _limits(**limits))
    folder = clusters.results_folder(scheduler)
    for found in own.run(wanted, path, target=target, folder=folder):
        click.echo(f"{clusters.text(found, scheduler)}\n")


@main.command(
    epilog=_examples(
        "predict my_bold.nii.gz", "predict my_bold.nii.gz --task mean_over_time --verify"
    )
)
@click.argument("fmri_path", metavar="FILE")
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--verify", is_flag=True, help="Also run the methods that fit.")
@_limit_options
@_json_option("the predictions")
def predict(
    fmri_path: str, tasks: tuple[str, ...], *, verify: bool, as_json: bool, **limits: str
) -> None:
    """Tell what each method would need for a file.

    And whether so much memory is free. Nothing but the header of the file is read. The figures
    rest on what this machine took for small files of the same kind (see: fmri-bench calibrate).
    """
    from . import gauge, prediction, provenance  # noqa: PLC0415

    here = provenance.here(gauge.name(), Path(fmri_path))
    found: Predictions | Verified
    found = known = prediction.predict(fmri_path, here, tasks)
    if verify:
        from . import own  # noqa: PLC0415

        found = own.verified(known, _limits(**limits))
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
    from . import differences  # noqa: PLC0415

    found = differences.between(first, second, different_files=different_files)
    click.echo(json.dumps(found.as_dict(), indent=1) if as_json else str(found))


@main.command(epilog=_examples("check"))
@_json_option("every claim")
def check(*, as_json: bool) -> None:
    """Judge every claim of the site.

    The exit code is 1 if one is contradicted.
    """
    from . import judging  # noqa: PLC0415
    from .across import Across  # noqa: PLC0415
    from .lookup import Lookup  # noqa: PLC0415

    rows = judging.rows(judging.written_claims(), Lookup.in_use(), Across.in_use)
    click.echo(json.dumps(rows, indent=1) if as_json else judging.text(rows))
    if judging.has_contradicted(rows):
        sys.exit(1)


@main.command(epilog=_examples("calibrate", "calibrate my_bold.nii.gz"))
@click.argument("fmri_path", metavar="[FILE]", required=False)
def calibrate(fmri_path: str | None) -> None:
    """Measure every method on small files.

    That is what `predict` rests on. It takes some minutes, once.
    """
    from . import calibration  # noqa: PLC0415

    store = calibration.calibrate(fmri_path)
    click.echo(f"What small files took is in {store.path}.")


@main.command(epilog=_examples("releases"))
def releases() -> None:
    """Measure under several releases of nilearn and nibabel.

    In turns, in the environments that `make releases` makes first. What changed is printed, and
    every claim of the site that a release is about is judged by it. The exit code is 1 if one is
    contradicted.
    """
    from . import judging  # noqa: PLC0415
    from . import releases as them  # noqa: PLC0415
    from .across import Across  # noqa: PLC0415

    them.measure(fresh=os.environ.get("FRESH") == "1")
    across = Across.in_use()
    rows = judging.rows_of_releases(judging.collected_claims(), across)
    for text in (across, judging.text(rows)):
        click.echo(f"\n{text}")
    if judging.has_contradicted(rows):
        sys.exit(1)


@main.command(epilog=_examples("reference"))
def reference() -> None:
    """Keep what is measured here as the results that come with the project.

    Those of the site, and those under several releases, as far as the file was measured.
    """
    from . import across  # noqa: PLC0415

    click.echo(across.keep())


@main.command()
def file() -> None:
    """Say which file the site measures on.

    And why, after a look whether it is fit for that.
    """
    from . import comparison, opening  # noqa: PLC0415

    chosen, results = opening.ready()
    described = comparison.described(chosen.data)
    if results.is_fixed:
        said = f"Nothing is measured (MEASURE=0). Reference results: {described}"
    else:
        said = f"In {chosen.path.parent}: {described} {chosen.data.reason}"
    click.echo(said)


@main.command()
@click.argument("names", metavar="[TASK]...", nargs=-1)
def measure(names: tuple[str, ...]) -> None:
    """Measure tasks for the site.

    All of them by default, on the file that FMRI, DATA and CONCAT name.
    """
    os.environ.setdefault("MPLBACKEND", "agg")  # the examples draw plots too
    import matplotlib.pyplot as plt  # noqa: PLC0415 - slow, and no other command needs it

    from . import lookup, tasks  # noqa: PLC0415

    for name in names or tasks.example_paths():
        path = lookup.task_named(name).path
        sys.argv = [str(path)]  # what else the command line has is not for the example
        runpy.run_path(str(path), run_name="__main__")
        plt.close("all")


def entry() -> None:
    """Run the command line; an error of ours is a sentence and exit code 2."""
    try:
        main()
    except BenchmarkError as error:
        click.echo(f"Error: {units.printable(str(error))}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    entry()

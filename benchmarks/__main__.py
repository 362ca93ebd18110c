"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import json
import os
import runpy
import sys

import click

from . import claims, comparing, comparison, folders, lookup, tasks
from .claims import Verdict
from .errors import BenchmarkError, FigureError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure the tasks of the chapter, and judge its claims."""


@main.command()
def file() -> None:
    """Say which file is measured on and why, and check that it is fit for that."""
    chosen, _ = comparing.ready()
    click.echo(
        f"In {chosen.path.parent}: {comparison.described(chosen.data)} {chosen.data.reason}"
    )


@main.command()
@click.argument("names", metavar="[TASK]...", nargs=-1)
def measure(names: tuple[str, ...]) -> None:
    """Measure tasks (all by default) on the file that FMRI, DATA and CONCAT name."""
    os.environ.setdefault("MPLBACKEND", "agg")  # the examples draw plots too
    import matplotlib.pyplot as plt  # noqa: PLC0415 - slow, and no other command needs it

    for name in names or tasks.example_paths():
        path = lookup.task_named(name).path
        sys.argv = [str(path)]  # what else the command line has is not for the example
        runpy.run_path(str(path), run_name="__main__")
        plt.close("all")


@main.command()
def check() -> None:
    """Print every claim with verdict, value and bound; fail if one is contradicted."""
    found = lookup.Lookup.in_use()
    counts = dict.fromkeys(Verdict, 0)
    for claim in _written_claims():
        verdict, value = claim.judge(found.find, found.store.provenance.packages, found.store.data)
        counts[verdict] += 1
        measured = f"measured {value}, " if value else ""
        click.echo(f"{verdict.upper():>13}  {claim.place}: {claim.text}")
        click.echo(f"{'':>13}  {claim.expression}: {measured}claimed {claim.bound}")
    click.echo(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count))
    if counts[Verdict.CONTRADICTED]:
        sys.exit(1)


def _written_claims() -> list[claims.Claim]:
    """Read the claims that the last build found in the pages."""
    path = folders.CLAIMS
    pages = [*folders.DOC.glob("*.rst"), *folders.EXAMPLES.glob("*.py")]
    if not path.exists() or any(page.stat().st_mtime > path.stat().st_mtime for page in pages):
        raise FigureError("The claims of the pages are not collected yet. Run: make html.")
    return [claims.Claim.from_dict(entry) for entry in json.loads(path.read_bytes())]


def run() -> None:
    """Run the command line; an error of ours is a sentence and exit code 2."""
    try:
        main()
    except BenchmarkError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    run()

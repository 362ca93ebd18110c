"""Measure the task with many images on a Dask scheduler that runs already."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
import tempfile
from typing import TYPE_CHECKING, Any

from . import folders
from .errors import ClusterError, MethodError
from .own import Part
from .plans import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .comparison import Comparison
    from .stops import Limits

TASK = "many_images"

#: Its methods that work on any number of workers: those that are timed, after the loop that they
#: are compared with, and those of which it is read what they return.
TIMED = ("loop_paths", "dask_paths", "dask_images")
OBSERVED = ("kilobytes_with_paths", "kilobytes_with_images", "one_is_broken")

#: What a worker has to have.
PACKAGES = ("nibabel", "isal", "joblib")

#: A scheduler on the same network answers in a fraction of this.
CONNECT_SECONDS = 5

INSTALL = "Install it with: pip install 'dask[distributed]'."


def parts(address: str, names: Sequence[str], runs: int | None, limits: Limits) -> list[Part]:
    """Return what is measured on a scheduler: what takes time, then what methods return.

    All of it is measured anew each time, since nothing tells whether the workers are the same as
    before.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://127.0.0.1:8786``.
    names : sequence of str
        Of tasks: the one task alone.
    runs : int or None
        Time runs of each method.
    limits : Limits
        When a run is stopped.

    Raises
    ------
    MethodError
        It is another task.
    ClusterError
        As `check`.
    """
    if list(names) != [TASK]:
        raise MethodError(f"Only {TASK} is measured on a scheduler: fmri-bench run {TASK} ...")
    check(address)

    def plan(runs: int | None, *, timed: bool) -> Plan:
        return Plan.of(
            runs=runs, fresh=True, timed=timed, cache="warm", limits=limits, scheduler=address
        )

    return [
        Part(TASK, plan(runs, timed=True), TIMED),
        Part(TASK, plan(1, timed=False), OBSERVED),
    ]


def results_folder(address: str) -> Path:
    """Return where results of a scheduler are kept, apart from those of this machine alone."""
    name = re.sub(r"[^\w.-]+", "-", address)
    return folders.own_results_folder() / f"on-{name}"


def check(address: str) -> None:
    """Make sure that a scheduler answers, and that its workers can do the work.

    Parameters
    ----------
    address : str
        Of the scheduler.

    Raises
    ------
    ClusterError
        Dask is not installed, nobody answers, there is no worker, or workers lack a package or do
        not see the folder of temporary files.
    """
    try:
        # An extra, and slow to import.
        from distributed import Client  # noqa: PLC0415
        from distributed.comm.addressing import parse_address, parse_host_port  # noqa: PLC0415
    except ImportError as error:
        raise ClusterError(f"Dask is not installed. {INSTALL}") from error
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        parse_host_port(parse_address(address)[1])
        client: Any = Client(  # type: ignore[no-untyped-call]
            address, timeout=CONNECT_SECONDS, set_as_default=False
        )
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {address}: {error or 'it took too long'}. Start one "
            "with: dask scheduler. It prints its address."
        ) from error
    with client:
        _check_workers(client, address)


def _check_workers(client: Any, address: str) -> None:
    if not client.scheduler_info()["workers"]:
        raise ClusterError(
            f"The scheduler at {address} has no worker. Start one with: dask worker {address}."
        )
    for package in PACKAGES:
        found = client.run(importlib.metadata.version, package, on_error="return")
        lacking = [worker for worker, version in found.items() if not isinstance(version, str)]
        if lacking:
            raise ClusterError(f"{package} is not installed where {lacking[0]} runs.")
    with tempfile.NamedTemporaryFile() as shared:
        for worker, seen in client.run(os.path.exists, shared.name).items():
            if not seen:
                raise ClusterError(
                    f"The worker {worker} does not see {tempfile.gettempdir()}, where the images "
                    "are put. Set TMPDIR to a folder that is the same everywhere."
                )


def text(comparison: Comparison, address: str) -> str:
    """Return what is printed of a part: figures, or what methods returned; and a remark."""
    remark = (
        f"Dask's workers are those of {address}. Their memory is not in these figures, which are "
        "of the process that sends and of its own children."
    )
    timed = any(result.time_runs for result in comparison.results)
    return f"{comparison}\n{remark}" if timed else comparison.observed().text()

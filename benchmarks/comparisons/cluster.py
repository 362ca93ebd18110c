"""Measure the task with many images on a Dask scheduler that runs already."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
import tempfile
from typing import TYPE_CHECKING, Any

from benchmarks import files
from benchmarks.errors import ClusterError, MethodError
from benchmarks.runner.schedule import Plan
from benchmarks.tasks.chapter import MANY_IMAGES

from .own_file import Part

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.runner.schedule import Bounds

    from .compare import Comparison

#: A scheduler on the same network answers in a fraction of this.
CONNECT_SECONDS = 5

INSTALL = "Install it with: pip install 'dask[distributed]'."


def parts(address: str, names: Sequence[str], runs: int | None, bounds: Bounds) -> list[Part]:
    """Return what is measured on a scheduler; raises MethodError for any other task."""
    many = MANY_IMAGES
    if list(names) != [many.task]:
        raise MethodError(
            f"Only {many.task} is measured on a scheduler: fmri-bench run {many.task} ..."
        )
    check(address)
    # How much is sent, and that work goes on beside a broken image, is read off what is returned.
    observed = (many.sent, many.sent_images, many.broken)
    # Anew each time, since nothing tells whether the workers are the same as before.
    asked: dict[str, Any] = {"again": True, "bounds": bounds, "scheduler": address}
    return [
        Part(many.task, Plan.of(runs=runs, **asked), many.on_cluster),
        Part(many.task, Plan.of(runs=1, timed=False, **asked), observed),
    ]


def results_folder(address: str) -> Path:
    """Return where results of a scheduler are kept, apart from those of this machine alone."""
    name = re.sub(r"[^\w.-]+", "-", address)
    return files.own_results_folder() / f"on-{name}"


def check(address: str) -> None:
    """Make sure that a scheduler answers, and its workers are fit; raises ClusterError if not."""
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
    for package in MANY_IMAGES.packages:
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

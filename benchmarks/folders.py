"""Where things are: the project, its examples, measured results, and files made once."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLES = PROJECT / "examples"
DOC = PROJECT / "doc"
BUILD = DOC / "_build"
CLAIMS = BUILD / "claims.json"
HIDDEN = Path(__file__).resolve().parent / "hidden"
REFERENCE = Path(__file__).resolve().parent / "results"


def measuring() -> bool:
    """Tell whether results are measured here, or those of the project shown (``MEASURE=0``)."""
    return os.environ.get("MEASURE") != "0"


#: joblib takes the file system in memory only if it has this much room (its own bound).
SHM_ROOM_BYTES = 2_000_000_000


def shared_memory() -> Path | None:
    """Return the file system in memory where joblib puts arrays for workers, or None.

    It is None where there is none, or too little room in it, as in a container by default.
    joblib then takes a disk.
    """
    shm = Path("/dev/shm")  # noqa: S108 - not a temporary folder, but memory
    if not shm.is_dir() or not os.access(shm, os.W_OK):
        return None
    room = os.statvfs(shm)
    return shm if room.f_bavail * room.f_frsize >= SHM_ROOM_BYTES else None


def cache_folder() -> Path:
    """Return the folder for data files that can be made again (``FMRI_BENCH_CACHE`` moves it)."""
    moved = os.environ.get("FMRI_BENCH_CACHE")
    return Path(moved) if moved else Path(platformdirs.user_cache_dir("fmri-bench"))


def results_folder() -> Path:
    """Return the folder of measured results (``FMRI_BENCH_RESULTS`` moves it).

    They belong to the build, so ``make clean`` removes them. Outside a checkout there is
    no build folder, and they are kept beside the cached data.
    """
    moved = os.environ.get("FMRI_BENCH_RESULTS")
    if moved:
        return Path(moved)
    return BUILD / "results" if EXAMPLES.is_dir() else cache_folder() / "results"


def own_results_folder() -> Path:
    """Return the folder of what readers measure on their own files, apart from the site's."""
    moved = os.environ.get("FMRI_BENCH_RESULTS")
    return Path(moved) / "own" if moved else Path(platformdirs.user_data_dir("fmri-bench"))

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
REFERENCE = Path(__file__).resolve().parent / "results"


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

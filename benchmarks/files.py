"""Where files are, and how one is written: whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What was begun so long ago, s, and is not finished, will not be.
_LEFT_SECONDS = 24 * 60 * 60

PACKAGE = Path(__file__).resolve().parent
PROJECT = PACKAGE.parent
#: A wheel brings the examples inside the package; in the repository they stand beside it.
INSTALLED = (PACKAGE / "examples").is_dir()
EXAMPLES = (PACKAGE if INSTALLED else PROJECT) / "examples"
DOC = PROJECT / "doc"
BUILD = DOC / "_build"
CLAIMS = BUILD / "claims.json"
HIDDEN = PACKAGE / "runner" / "hidden"
REFERENCE = PACKAGE / "results" / "reference"
#: What readers have handed in of their machines.
MACHINES = PACKAGE / "results" / "machines"


def measuring() -> bool:
    """Tell whether results are measured here, or those of the project shown (``MEASURE=0``)."""
    return os.environ.get("MEASURE") != "0"


def advice(made: str, otherwise: str) -> str:
    """Return what a user can do in the repository, which has a Makefile, or without one."""
    return otherwise if INSTALLED else made


def cache_folder() -> Path:
    """Return the folder for data files that can be made again (``FMRI_BENCH_CACHE`` moves it)."""
    moved = os.environ.get("FMRI_BENCH_CACHE")
    return Path(moved) if moved else Path(platformdirs.user_cache_dir("fmri-bench"))


def results_folder() -> Path:
    """Return the folder of measured results, of the build; ``FMRI_BENCH_RESULTS`` moves it."""
    moved = os.environ.get("FMRI_BENCH_RESULTS")
    if moved:
        return Path(moved)
    return cache_folder() / "results" if INSTALLED else BUILD / "results"


def small_results_folder() -> Path:
    """Return the folder of what was measured on small files."""
    return results_folder() / "sizes"


def own_results_folder() -> Path:
    """Return the folder of what readers measure on their own files, apart from the site's."""
    moved = os.environ.get("FMRI_BENCH_RESULTS")
    return Path(moved) / "own" if moved else Path(platformdirs.user_data_dir("fmri-bench"))


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of another at once, when the block ends well.

    Until then it has no name, where the file system can do that (O_TMPFILE of open(2)): a
    process that is killed in the middle leaves nothing behind.

    Parameters
    ----------
    path : Path
        The file to make or replace; its folder is made.

    Raises
    ------
    OSError
        It cannot be written; what the path held before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(path)
    # Another process may be writing the same file.
    named = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor, unnamed = _open(named)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            if unnamed:
                # Python follows the link of /proc only if it is given a folder as well.
                os.link(f"/proc/self/fd/{descriptor}", named, src_dir_fd=descriptor)
        named.replace(path)
    except BaseException:
        named.unlink(missing_ok=True)
        raise


def _remove_left(path: Path) -> None:
    """Remove unfinished files of processes that were killed, unless somebody may be at them."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.new"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                left.unlink()


def _open(named: Path) -> tuple[int, bool]:
    try:
        return os.open(named.parent, os.O_TMPFILE | os.O_WRONLY, 0o644), True
    except (AttributeError, OSError):  # other systems, and file systems without it
        return os.open(named, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644), False

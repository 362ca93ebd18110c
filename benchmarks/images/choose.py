"""Which fMRI file is measured on: a path, else FMRI=, DATA=, nilearn's run, nibabel's scan."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import os
import socket
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

import nibabel as nib
from nibabel.filebasedimages import ImageFileError
from nibabel.openers import ImageOpener

from benchmarks.errors import DataError
from benchmarks.units import read_count

from . import generate, header

if TYPE_CHECKING:
    from .image import Image

NAMED = ("development_fmri", "example4d")

#: The host that nilearn downloads the development run from, and how long to wait for it.
DOWNLOAD_HOST = ("osf.io", 443)
CONNECT_SECONDS = 3
DOWNLOAD_SECONDS = 120

FETCH = (
    "from nilearn.datasets import fetch_development_fmri as fetch\n"
    "print(fetch(n_subjects=1, age_group='adult', verbose=0).func[0])"
)

_READ_ERRORS = (OSError, EOFError, ValueError, zlib.error, ImageFileError)
_CHUNK_BYTES = 1 << 20


def choose(fmri_path: str | os.PathLike[str] | None = None) -> Image:
    """Answer which file is measured on.

    Parameters
    ----------
    fmri_path : path, optional
        The file to take. By default the environment variables ``FMRI``, ``DATA`` and
        ``CONCAT`` decide, and after them what is at hand.

    Returns
    -------
    Image
        Its header was looked at; that its data can be read is the concern of `check`.

    Raises
    ------
    DataError
        The file is missing, is no 4D image, or its name or ``CONCAT`` is not understood.
    """
    path, reason = _path_and_reason(fmri_path)
    image = describe(path, reason)
    times = read_count("CONCAT=", os.environ.get("CONCAT") or "1")
    if fmri_path is None and times > 1:
        longer = generate.joined(image, times, check)
        image = describe(longer, f"{reason} It was joined to itself {times} times along time.")
    return image


def _path_and_reason(fmri_path: str | os.PathLike[str] | None) -> tuple[Path, str]:
    if fmri_path is not None:
        return Path(fmri_path), "It was given by its path."
    if given := os.environ.get("FMRI"):
        return Path(given), "Its path was given as FMRI."
    name = os.environ.get("DATA")
    if name not in (None, "", *NAMED):
        raise DataError(
            f"DATA={name} is not a data set known here; there are: {', '.join(NAMED)}."
        )
    if name == "example4d":
        return generate.example4d(), "It was asked for by DATA=example4d."
    path, failure = _development_fmri(patient=name == "development_fmri")
    if path:
        how = (
            "It was asked for by DATA." if name else "It is the default: a run that nilearn keeps."
        )
        return path, how
    if name:
        raise DataError(
            f"DATA=development_fmri cannot be had: {failure}. Check the network, or give a "
            "file of your own with FMRI=path."
        )
    return generate.example4d(), (
        f"No file was given and nilearn's development run cannot be had ({failure}), so this is "
        "the EPI scan packaged with nibabel, extended by realistic noise."
    )


@functools.cache
def _development_fmri(*, patient: bool) -> tuple[Path | None, str]:
    """Return nilearn's run, or None and why not; fetched apart, so that it can be ended."""
    if not (cached := _cached_development_fmri()):
        if refusal := _unreachable():
            return None, refusal
        print("Downloading nilearn's development run", file=sys.stderr)  # noqa: T201
        try:
            answer = subprocess.run(
                [sys.executable, "-c", FETCH],
                capture_output=True,
                text=True,
                check=True,
                timeout=None if patient else DOWNLOAD_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return None, f"the download took longer than {DOWNLOAD_SECONDS} s"
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines()
            return None, f"nilearn's fetcher failed: {lines[-1] if lines else 'no message'}"
        cached = Path(answer.stdout.splitlines()[-1])
    return cached, ""


def _unreachable() -> str:
    """Return why the host of the download cannot be reached; a proxy is asked by the download."""
    if {"https", "all"} & getproxies().keys():
        return ""
    try:
        socket.create_connection(DOWNLOAD_HOST, timeout=CONNECT_SECONDS).close()
    except OSError as error:
        return f"{DOWNLOAD_HOST[0]} cannot be reached: {error.strerror or error}"
    return ""


def _cached_development_fmri() -> Path | None:
    shared = [os.environ.get(name) for name in ("NILEARN_SHARED_DATA", "NILEARN_DATA")]
    folders = [Path(folder) for folder in shared if folder] + [Path.home() / "nilearn_data"]
    for folder in folders:
        found = sorted((folder / "development_fmri").glob("**/*task-pixar*_bold.nii.gz"))
        if found:
            return found[0]
    return None


def describe(path: Path, reason: str) -> Image:
    """Return a file's header, digest, and why it was taken (a sentence); raises DataError."""
    path = path.expanduser().absolute()
    stamp = (found.st_size, found.st_mtime_ns) if (found := _stat(path)) else ()
    image = _described(path, stamp)
    return replace(image, reason=f"{reason} {image.remark}".strip())


def _stat(path: Path) -> os.stat_result | None:
    with contextlib.suppress(OSError):  # reading the header will say what is wrong
        return path.stat()
    return None


@functools.cache
def _described(path: Path, _stamp: tuple[int, ...]) -> Image:
    """Look into a file once as long as it is the same: a build asks for it a hundred times."""
    image, digest = header.read(path), hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_CHUNK_BYTES):
                digest.update(block)
        return replace(image, sha256=digest.hexdigest())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def check(image: Image) -> None:
    """Read the data to their end once; raises DataError if they end early or are damaged."""
    found = 0
    try:
        img: Any = nib.load(image.path)
        expected = getattr(img.dataobj, "offset", 0) + image.raw_bytes
        with contextlib.closing(_opened(img.file_map["image"].filename)) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                found += len(chunk)
    except _READ_ERRORS as error:
        raise DataError(
            f"{image.path} is damaged: reading its data failed after {found} bytes ({error}). "
            "Fetch or convert the file again."
        ) from error
    if found < expected:
        raise DataError(
            f"{image.path} is cut off: its header promises {expected} bytes and there are "
            f"{found}. "
            "Fetch or convert the file again."
        )


def _opened(path: str) -> Any:
    """Open a file to be unpacked; with gzip, which notices damage that others pass over."""
    return gzip.open(path) if path.endswith(".gz") else ImageOpener(path)

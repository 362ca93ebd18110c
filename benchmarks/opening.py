"""The file that results are about, and these: of this machine, or of the reference machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import data, folders, gauge, provenance, reference
from .store import Store

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from .data import FmriFile


def ready(
    fmri_path: str | os.PathLike[str] | None = None, folder: Path | None = None
) -> tuple[FmriFile, Store]:
    """Choose the file, and make sure that it can be measured on and its results be read.

    Parameters
    ----------
    fmri_path : path, optional
        By default what `benchmarks.data.choose` finds.
    folder : Path, optional
        Where results are kept; by default those that the site shows.

    Raises
    ------
    DataError
        The file is not fit to be measured on.
    FigureError
        There are no reference results, which are asked for.
    StoreError
        Its results cannot be read.
    """
    file = chosen(fmri_path)
    store = store_of(file, folder)
    if not store.all():  # results are a proof that the data could be read
        data.check(file)
    return file, store


def chosen(fmri_path: str | os.PathLike[str] | None = None) -> FmriFile:
    """Answer which file results are about: one to measure on, or that of the reference results.

    Parameters
    ----------
    fmri_path : path, optional
        By default what `benchmarks.data.choose` finds; with ``MEASURE=0`` the reference.

    Raises
    ------
    DataError
        There is no such file, or it is no 4D image.
    FigureError
        There are no reference results.
    """
    if fmri_path is None and not folders.measuring():
        return reference.run()
    return data.choose(fmri_path)


def store_of(file: FmriFile, folder: Path | None = None) -> Store:
    """Open the results of a file on this machine with these versions.

    Parameters
    ----------
    file : FmriFile
        What is measured on.
    folder : Path, optional
        Where results are kept; by default those that the site shows.
    """
    if reference.holds(file):
        return reference.store_of(file.data)
    here = provenance.here(gauge.name(), file.path)
    return Store(folder or folders.results_folder(), file.data, here)

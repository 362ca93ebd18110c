"""The file, its variants, and the results about each: of this machine, or of the reference."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import files
from benchmarks.errors import DataError, FigureError
from benchmarks.gauge import peak
from benchmarks.results import provenance, reference_store
from benchmarks.results.store import Store

from . import choose, variants
from .image import Image

if TYPE_CHECKING:
    import os
    from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """A file, and where the results about it are.

    Attributes
    ----------
    image : Image
        The file.
    folder : Path or None
        Where results are kept; None for where the site keeps them.
    is_reference : bool
        Whether the results are those that come with the project; the file need not be here then.
    """

    image: Image
    folder: Path | None = None
    is_reference: bool = False

    @classmethod
    def chosen(
        cls, fmri_path: str | os.PathLike[str] | None = None, folder: Path | None = None
    ) -> Workspace:
        """Answer which file results are about.

        Parameters
        ----------
        fmri_path : path, optional
            By default what `choose.choose` finds; with ``MEASURE=0`` that of the reference.
        folder : Path, optional
            Where results are kept; by default those that the site shows.

        Raises
        ------
        DataError
            There is no such file, or it is no 4D image.
        FigureError
            There are no reference results, which are asked for.
        """
        if fmri_path is None and not files.measuring():
            return cls.of_reference()
        return cls(choose.choose(fmri_path), folder)

    @classmethod
    def ready(
        cls, fmri_path: str | os.PathLike[str] | None = None, folder: Path | None = None
    ) -> Workspace:
        """Choose the file, and make sure that it can be measured on and its results be read.

        Parameters and errors are those of `chosen`; besides:

        Raises
        ------
        DataError
            The data cannot be read to their end.
        StoreError
            The results cannot be read.
        """
        found = cls.chosen(fmri_path, folder)
        if not found.store.all():  # results are a proof that the data could be read
            choose.check(found.image)
        return found

    @classmethod
    def of_reference(cls) -> Workspace:
        """Return what was measured on the reference machine; raises FigureError if nothing was."""
        path = reference_store.path_of(reference_store.name_of(""))
        if not path.exists():
            raise FigureError(f"There are no reference results. {reference_store.ADVICE}")
        return cls(_reference("").data, is_reference=True)

    @functools.cached_property
    def store(self) -> Store[Image]:
        """The results about the file itself."""
        if self.is_reference:
            return _reference("")
        return self._about(self.image)

    def at(self, variant: str) -> Store[Image]:
        """Return the results about a variant, which is made if need be.

        Parameters
        ----------
        variant : str
            One of `variants.VARIANTS`; empty for the file itself.

        Raises
        ------
        DataError
            There is no such variant, or it cannot be written.
        """
        if found := self.seen(variant):
            return found
        if self.is_reference:
            raise DataError(
                f"The form {variant} is not among the reference results. {reference_store.ADVICE}"
            )
        return self._about(variants.of(self.image, variant))

    def seen(self, variant: str) -> Store[Image] | None:
        """Return the results about a variant if there is one; raises DataError as `at`."""
        if not variant:
            return self.store
        variants.named(variant)
        if self.is_reference:
            path = reference_store.path_of(reference_store.name_of(variant))
            return _reference(variant) if path.exists() else None
        image = variants.find(self.image, variant)
        return self._about(image) if image else None

    def small_files(self) -> Store[Image]:
        """Return what was measured on small files made of it; the site keeps them all."""
        if self.is_reference:
            return reference_store.opened(reference_store.path_of(reference_store.SIZES), Image)
        return Store(files.small_results_folder(), self.image, self.store.provenance)

    def _about(self, image: Image) -> Store[Image]:
        here = provenance.here(peak.name(), image.path)
        return Store(self.folder or files.results_folder(), image, here)


def _reference(variant: str) -> Store[Image]:
    path = reference_store.path_of(reference_store.name_of(variant))
    return reference_store.opened(path, Image)

"""The record of a BOLD file: what its header says, and what else figures depend on."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path  # noqa: TC003 - cattrs reads the types of fields
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.errors import FigureError
from benchmarks.results.store import CONVERTER
from benchmarks.units import MIB, format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

#: What follows from the others, and what is of the place of the file alone, in a results file.
_DERIVED = ("name", "scaled", "raw_bytes")
_LOCAL = ("path", "offset", "remark")


@dataclass(frozen=True)
class Image:
    """A 4D image in a file, or several copies of one."""

    #: Absolute path. Where the file need not be here, its name beside the results.
    path: Path
    #: Number of voxels along x, y, z, and of volumes.
    shape: tuple[int, ...]
    #: Type of a voxel on disk, for example ``"int16"``.
    dtype: str
    #: What values are multiplied by, and what is added, when they are read.
    slope: float = 1.0
    inter: float = 0.0
    #: ``"none"``, or the ending of the compressed file: ``"gz"``, ``"bz2"``, ``"zst"``.
    compression: str = "none"
    #: Size on disk; of all copies.
    file_bytes: int = 0
    #: Digest of the file's bytes; of copies, of that and their number.
    sha256: str = ""
    #: Why this file was taken, as a sentence.
    reason: str = ""
    #: How many copies there are.
    images: int = 1
    #: Where the voxels begin, bytes.
    offset: int = 0
    #: A sentence on what is unusual but allowed; else empty.
    remark: str = ""

    @property
    def name(self) -> str:
        """File name, without its folder."""
        return self.path.name

    @property
    def stem(self) -> str:
        """File name without its endings."""
        return self.name.split(".")[0]

    @property
    def ending(self) -> str:
        """How the name of a NIfTI file with this compression ends."""
        return ".nii" if self.compression == "none" else ".nii.gz"

    @property
    def label(self) -> str:
        """What names of results files begin with."""
        stem = re.sub(r"[^\w.-]", "_", self.stem)
        return f"{stem}-{self.compression}-{self.sha256[:8]}"

    @property
    def scaled(self) -> bool:
        """Whether values have to be multiplied or shifted when they are read."""
        return (self.slope, self.inter) != (1, 0)

    @property
    def voxels(self) -> int:
        """Voxels of one volume."""
        return math.prod(self.shape[:3])

    @property
    def volumes(self) -> int:
        """How many volumes there are."""
        return self.shape[3]

    @property
    def raw_bytes(self) -> int:
        """Number of voxels x bytes per voxel on disk, uncompressed; of all copies."""
        return self.images * math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def extent(self) -> str:
        """The shape in words."""
        return f"{' x '.join(map(str, self.shape))} voxels"

    @property
    def description(self) -> str:
        """What it is in one line: name, shape, type, raw size."""
        copies = f"{self.images} copies of " if self.images > 1 else ""
        scaled = ", scaled" if self.scaled else ""
        size = format_bytes(self.raw_bytes)
        return f"{copies}{self.name}: {self.extent}, {self.dtype}{scaled}, {size} raw size."

    def copied(self, images: int) -> Image:
        """Return so many copies of it."""
        digest = hashlib.sha256(f"{images} x {self.sha256}".encode()).hexdigest()
        size = images * self.file_bytes
        return replace(self, images=images, file_bytes=size, sha256=digest)

    def meets(self, condition: str) -> bool:
        """Tell whether it is as one of `CONDITIONS` asks, or as large; else raises FigureError.

        Sizes are written ``at least 50 volumes`` and ``at least 32 MiB``, which is its raw size.
        """
        if size := _LEAST.fullmatch(condition):
            return _SIZES[size["unit"]](self) >= int(size["amount"])
        if condition not in CONDITIONS:
            known = ", ".join([*CONDITIONS, *(f"at least N {unit}" for unit in _SIZES)])
            raise FigureError(f"{condition!r} is no condition of a claim; there are: {known}.")
        return CONDITIONS[condition](self)

    def entry(self) -> dict[str, Any]:
        """Return what is stored of it, as JSON can hold it."""
        names = [*_DERIVED, *(f.name for f in fields(self) if f.name not in _LOCAL)]
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_entry(cls, entry: dict[str, Any], folder: Path) -> Self:
        """Read what `entry` returned; raises KeyError, TypeError or ValueError if it is none."""
        given = {name: value for name, value in entry.items() if name not in _DERIVED}
        _ = entry["sha256"], entry["file_bytes"], entry["compression"]  # none may be missing
        found = CONVERTER.structure(given | {"path": folder / entry["name"]}, cls)
        _ = found.raw_bytes  # refuses what is no type of a voxel
        return found


#: What a claim may ask of the file, by the name that pages use.
CONDITIONS: dict[str, Callable[[Image], bool]] = {
    "compressed": lambda image: image.compression != "none",
    "uncompressed": lambda image: image.compression == "none",
    "scaled": lambda image: image.scaled,
    "unscaled": lambda image: not image.scaled,
    "integers": lambda image: image.dtype.lstrip("><").startswith(("int", "uint")),
}

#: What a claim may ask of its size, by the unit.
_SIZES: dict[str, Callable[[Image], float]] = {
    "volumes": lambda image: image.volumes,
    "MiB": lambda image: image.raw_bytes / MIB,
}
_LEAST = re.compile(rf"at least (?P<amount>\d+) (?P<unit>{'|'.join(_SIZES)})")

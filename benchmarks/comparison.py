"""What was measured of one task on one file, to be printed and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import reference, tables
from .units import format_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .cells import Table
    from .headers import Header
    from .provenance import Provenance
    from .results import Result
    from .runs import Data
    from .tasks import Method


def described(file_data: Data | Header) -> str:
    """Return what a file is in one line: name, shape, type, raw size."""
    scaled = ", scaled" if file_data.scaled else ""
    size = format_bytes(file_data.raw_bytes)
    return f"{file_data.name}: {_voxels(file_data)}, {file_data.dtype}{scaled}, {size} raw size."


def caption(file_data: Data, provenance: Provenance) -> str:
    """Return the file, or how many copies of it there are, and the machine in one line."""
    copies = f"{file_data.images} copies of " if file_data.images > 1 else ""
    return f"{copies}{described(file_data)} {machine(provenance)}"


def machine(provenance: Provenance) -> str:
    """Return processor and versions in one line."""
    versions = ", ".join(f"{name} {provenance.packages[name]}" for name in ("nibabel", "nilearn"))
    return f"{provenance.cpu}, {versions}."


def titled(text: str, caption: str) -> str:
    """Return the title of a plot, with the label of the reference if its caption has it."""
    return f"{text} ({reference.LABEL.lower()})" if reference.LABEL in caption else text


def of_forms(heading: str, first: Data, provenance: Provenance) -> str:
    """Return the caption of one quantity on several forms of a run.

    Parameters
    ----------
    heading : str
        Name of the quantity.
    first : Data
        One of the forms; all have the same voxels.
    provenance : Provenance
        The machine and the versions.
    """
    text = f"{heading}; the run in these forms, {_voxels(first)}. {machine(provenance)}"
    return text[0].upper() + text[1:]


def _voxels(file_data: Data | Header) -> str:
    return f"{' x '.join(map(str, file_data.shape))} voxels"


@dataclass(frozen=True)
class Comparison:
    """The results of one task on one file.

    Attributes
    ----------
    task : str
        Name of the task.
    results : tuple of Result
        One for each method, in the order of the task.
    data : Data
        The file measured on.
    provenance : Provenance
        The machine and the versions.
    methods : tuple of Method
        The methods themselves.
    """

    task: str
    results: tuple[Result, ...]
    data: Data
    provenance: Provenance
    methods: tuple[Method, ...] = ()

    @property
    def caption(self) -> str:
        """The file and the machine, in one line."""
        return caption(self.data, self.provenance)

    def table(self) -> Table:
        """Return the table: time, peak, kept, multiplier of each method."""
        return tables.of_results(self.results, self.methods)

    def __str__(self) -> str:
        remarks = tables.remarks(self.results)
        return "\n".join([self.table().text(), "", self.caption, *remarks])

    def _repr_html_(self) -> str:
        caption = " ".join([self.caption, *tables.remarks(self.results)])
        return self.table().html(caption)

    def plot_time(self) -> Figure:
        """Draw the time of each method, every run a dot."""
        return self._plot("time", "Time")

    def plot_memory(self) -> Figure:
        """Draw the peak of each method, every run a dot."""
        return self._plot("peak", "Peak memory")

    def plot_memory_over_time(self) -> Figure:
        """Draw the memory of the whole process tree during one call of each method."""
        from . import series  # noqa: PLC0415 - matplotlib is slow to import

        return series.plot_each(self.results, self._title("Memory over time"))

    def plot_parts(self) -> Figure:
        """Draw what each peak consists of: private, mapped files, and /dev/shm."""
        from . import series  # noqa: PLC0415 - matplotlib is slow to import

        return series.plot_parts(self.results, self._title("Parts of the peak"))

    def parts(self) -> Table:
        """Return the table of what each peak consists of."""
        return tables.of_parts(self.results)

    def observed(self) -> Table:
        """Return the table of what each method returned, as Python writes it."""
        return tables.of_observations(self.results)

    def _title(self, heading: str) -> str:
        return titled(f"{heading}: {self.task.replace('_', ' ')}", self.caption)

    def _plot(self, quantity: str, heading: str) -> Figure:
        from . import figures  # noqa: PLC0415 - matplotlib is slow to import

        families = {method.name: method.family for method in self.methods}
        title = self._title(f"{heading} of each way")
        return figures.plot(self.results, quantity, title, families)

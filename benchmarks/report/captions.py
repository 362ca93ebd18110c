"""What stands below tables and above plots: the file, the machine, the versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.results import reference_store

if TYPE_CHECKING:
    from benchmarks.results.dataset import Dataset
    from benchmarks.results.provenance import Provenance


def caption(dataset: Dataset, provenance: Provenance) -> str:
    """Return the file, or how many copies of it there are, and the machine in one line."""
    return f"{dataset.description} {machine(provenance)}"


def machine(provenance: Provenance) -> str:
    """Return processor and versions in one line."""
    known = provenance.packages
    names = [name for name in ("nibabel", "nilearn") if name in known] or known
    versions = [f"{name} {known[name]}" for name in names]
    return f"{', '.join([provenance.cpu, *versions])}."


def titled(text: str, caption: str) -> str:
    """Return the title of a plot, with the label of the reference if its caption has it."""
    return (
        f"{text} ({reference_store.LABEL.lower()})" if reference_store.LABEL in caption else text
    )

"""What can go wrong, each with a sentence that says what happened and what to do next."""

from __future__ import annotations


class BenchmarkError(Exception):
    """Base of every error this package raises on purpose; its text is meant for the user."""


class DataError(BenchmarkError):
    """The fMRI file cannot be measured on: missing, broken, or not a 4D image."""


class MethodError(BenchmarkError):
    """A method cannot be measured: it failed, cannot be sent to a worker, or has no source."""


class DisagreementError(BenchmarkError):
    """Two methods of one task return different results, so neither is published."""


class WarmError(BenchmarkError):
    """A file that is to be cold cannot be dropped from the page cache."""


class StoreError(BenchmarkError):
    """Stored results cannot be read or written."""


class FigureError(BenchmarkError):
    """A page asks for a figure that is not measured, is stale, or does not exist."""


class StaleError(FigureError):
    """A figure was measured before the code of its method changed."""


class SubmissionError(FigureError):
    """What was handed in of a machine cannot be shown: damaged, impossible, or not checked."""


class AbsentError(FigureError):
    """A page asks for a figure that cannot be had here: a program is missing, or memory."""


class UnitError(BenchmarkError):
    """A size or a time that a user wrote is not understood."""


class GaugeError(BenchmarkError):
    """The memory gauge is wrong here, so nothing is measured with it."""


class ClusterError(BenchmarkError):
    """Methods cannot be measured on a Dask scheduler: it does not answer, or has no worker."""

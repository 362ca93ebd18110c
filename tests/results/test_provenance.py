from dataclasses import replace
from pathlib import Path

from benchmarks.gauge import shared_memory
from benchmarks.results import provenance
from benchmarks.units import GIB, MIB


def test_other_versions_and_machines_have_another_digest():
    here = provenance.here("gauge", Path(__file__))
    assert here.digest == provenance.here("gauge", Path(__file__)).digest
    for change in (
        {"packages": here.packages | {"nilearn": "0.0.1"}},
        {"cpu": "another"},
        {"memory_bytes": here.memory_bytes + GIB},
        {"gauge": "coarser"},
        {"python": "CPython 3.99"},
        {"file_system": "nfs4"},
        {"threads": "OMP_NUM_THREADS=1"},
        {"zlib": "zlib-ng"},
        {"cores": 0.5},
    ):
        assert replace(here, **change).digest != here.digest, change


def test_what_a_boot_changes_is_no_other_machine():
    here = replace(provenance.here("gauge", Path(__file__)), memory_bytes=24 * GIB)
    assert replace(here, memory_bytes=24 * GIB - 9 * MIB).digest == here.digest


def test_the_block_names_what_a_reader_needs():
    rows = dict(provenance.here("gauge", Path(__file__)).rows())
    assert "nilearn" in rows["Packages"]
    assert rows["Memory gauge"] == "gauge"
    assert all(rows.values())


def test_the_tightest_bounds_count(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1G")
    here = provenance.here("gauge", Path("/"))
    assert (here.cores, here.memory_bytes) == (1, GIB)


def test_thread_settings_are_named(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS=3" in provenance.here("gauge", Path("/")).threads


def test_a_small_file_system_in_memory_is_said_to_be_left_out(monkeypatch):
    assert provenance.here("gauge", Path("/")).arrays_for_workers in ("in memory", "on a disk")
    monkeypatch.setattr(shared_memory, "ROOM_BYTES", float("inf"))
    assert shared_memory.shared_memory() is None
    assert provenance.here("gauge", Path("/")).arrays_for_workers == "on a disk"

from dataclasses import replace
from pathlib import Path

from benchmarks.gauge import machine, shared_memory
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


def test_the_limits_of_a_container_count(tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text(f"{GIB}\n")
    monkeypatch.setattr(provenance, "CGROUP", tmp_path)
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(provenance.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    here = provenance.here("gauge", tmp_path)
    assert (here.cores, here.memory_bytes) == (1.5, GIB)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    here = provenance.here("gauge", tmp_path)
    assert here.cores == 4
    assert here.memory_bytes > GIB


def test_thread_settings_are_named(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS=3" in provenance.here("gauge", Path("/")).threads


def test_a_small_file_system_in_memory_is_said_to_be_left_out(monkeypatch):
    assert provenance.here("gauge", Path("/")).arrays_for_workers in ("in memory", "on a disk")
    monkeypatch.setattr(shared_memory, "ROOM_BYTES", float("inf"))
    assert shared_memory.shared_memory() is None
    assert provenance.here("gauge", Path("/")).arrays_for_workers == "on a disk"

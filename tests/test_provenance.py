from dataclasses import replace

from benchmarks import provenance
from benchmarks.units import GIB, MIB


def test_other_versions_and_machines_have_another_digest():
    here = provenance.here("gauge")
    assert here.digest == provenance.here("gauge").digest
    for change in (
        {"packages": here.packages | {"nilearn": "0.0.1"}},
        {"cpu": "another"},
        {"memory_bytes": here.memory_bytes + GIB},
        {"gauge": "coarser"},
        {"python": "CPython 3.99"},
    ):
        assert replace(here, **change).digest != here.digest, change


def test_what_a_boot_changes_is_no_other_machine():
    here = replace(provenance.here("gauge"), memory_bytes=24 * GIB)
    assert replace(here, memory_bytes=24 * GIB - 9 * MIB).digest == here.digest


def test_the_block_names_what_a_reader_needs():
    rows = dict(provenance.here("gauge").rows())
    assert "nilearn" in rows["Packages"]
    assert rows["Memory gauge"] == "gauge"
    assert all(rows.values())

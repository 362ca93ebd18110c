import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.errors import StoreError
from benchmarks.gauge.readings import MemoryRun, TimeRun
from benchmarks.images.image import Image
from benchmarks.results import provenance
from benchmarks.results.result import Result, Status
from benchmarks.results.store import Store, at, entries, read
from benchmarks.tasks.agreement import Returned

DATA = Image(
    Path("a b.nii.gz"),
    (8, 7, 6, 5),
    "int16",
    compression="gz",
    file_bytes=2000,
    sha256="0" * 64,
    reason="Given.",
)
HERE = provenance.here("gauge", Path(__file__))
RESULT = Result(
    "load",
    "get_fdata",
    "abc",
    raw_bytes=3360,
    time_runs=(TimeRun(0.1, 0.1, 0.0),),
    memory_runs=(MemoryRun(1, 2, 3),),
    returned=Returned("array", (2,), "int16", (1.0, float("nan")), (1.0, 0.0), (1.0,) * 16),
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", DATA, HERE)


def test_what_is_put_is_read_again(store):
    store.put(RESULT)
    again = Store(store.path.parent, DATA, HERE)
    assert repr(again.get("load", "get_fdata")) == repr(RESULT)
    assert again.get("load", "other") is None
    stored_provenance, data, results = read(store.path, Image)
    assert (stored_provenance, data.entry(), len(results)) == (HERE, DATA.entry(), 1)


def test_fields_that_have_their_default_value_are_left_out(store):
    bare = Result("load", "failed", "abc", status=Status.RAISED, message="raised OSError")
    store.put(RESULT, bare)
    short, long = json.loads(store.path.read_bytes())["results"]
    assert short.keys() == {"task", "method", "source_sha256", "status", "message"}
    assert long["memory_runs"] == [{"peak_bytes": 1, "kept_bytes": 2, "baseline_bytes": 3}]
    again = Store(store.path.parent, DATA, HERE)
    assert repr(again.all()) == repr([bare, RESULT])


def test_a_store_is_of_the_file_that_it_is_opened_by(store):
    store.put(RESULT)
    moved = store.path.rename(store.path.with_name("moved.json"))
    assert repr(at(moved, Image).all()) == repr([RESULT])


def test_units_stand_in_the_names_of_fields(store):
    store.put(RESULT)
    entry = json.loads(store.path.read_bytes())["results"][0]
    fields = {*entry["time_runs"][0], *entry["memory_runs"][0]}
    fields -= {"calls", "major_faults", "series"}
    assert all(name.endswith(("_seconds", "_bytes")) for name in fields)
    assert entry["time_runs"][0]["wall_seconds"] == 0.1


def test_other_data_and_other_machines_have_files_of_their_own(store):
    other_data = Store(store.path.parent, replace(DATA, sha256="1" * 64), HERE)
    other_machine = Store(store.path.parent, DATA, replace(HERE, cpu="another"))
    assert len({store.path, other_data.path, other_machine.path}) == 3


def test_two_processes_do_not_lose_each_others_results(store):
    other = Store(store.path.parent, DATA, HERE)
    store.put(RESULT)
    other.put(replace(RESULT, method="native"))
    names = {result.method for result in Store(store.path.parent, DATA, HERE).all()}
    assert names == {"get_fdata", "native"}
    store.put(replace(RESULT, method="third"))
    store.put(replace(RESULT, method="fourth"))
    names = {result.method for result in Store(store.path.parent, DATA, HERE).all()}
    assert names == {"get_fdata", "native", "third", "fourth"}


def test_a_file_that_nobody_else_wrote_is_not_read_again(store, monkeypatch):
    store.put(RESULT)
    monkeypatch.setattr(Store, "_read", lambda _: pytest.fail("It was read again."))
    store.put(replace(RESULT, method="native"), dropped=[RESULT])
    monkeypatch.undo()
    assert repr(at(store.path, Image).all()) == repr([replace(RESULT, method="native")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable results file"),
        (b"{", "not a readable results file"),
        (b"[]", "no results file of this project"),
        (b"{}", "no results file of this project"),
        (b'{"schema": 99}', "another version of this project"),
        (b'{"schema": 2}', "is damaged"),
        (b'{"schema": 2, "provenance": {}, "data": {"shape": []}, "results": []}', "is damaged"),
        (b"\xff\xfe", "not a readable results file"),
    ],
)
def test_a_broken_file_is_refused_and_left_as_it_is(store, content, message):
    store.path.parent.mkdir()
    store.path.write_bytes(content)
    with pytest.raises(StoreError, match=message):
        Store(store.path.parent, DATA, HERE).all()
    assert store.path.read_bytes() == content


def test_entries_are_the_results_as_they_are_written(store):
    assert entries(store.path) == []
    store.put(RESULT)
    assert entries(store.path) == json.loads(store.path.read_bytes())["results"]
    store.path.write_bytes(b'{"schema": 2}')
    with pytest.raises(StoreError, match="is damaged"):
        entries(store.path)


def test_fields_of_a_stranger_are_refused(store):
    store.put(RESULT)
    content = json.loads(store.path.read_bytes())
    content["results"][0]["surprise"] = 1
    store.path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="is damaged"):
        read(store.path, Image)


@pytest.mark.parametrize(
    ("field", "value"),
    [("task", 1), ("raw_bytes", "3360"), ("raw_bytes", True), ("status", "fine"), ("images", 1.5)],
)
def test_a_value_of_another_type_is_refused(store, field, value):
    store.put(RESULT)
    content = json.loads(store.path.read_bytes())
    content["results"][0][field] = value
    store.path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="is damaged"):
        read(store.path, Image)


def test_provenance_comes_back_as_it_was(store):
    store.put(RESULT)
    assert read(store.path, Image)[0].digest == HERE.digest


def test_a_write_that_fails_says_what_to_do_and_loses_nothing(store, monkeypatch):
    store.put(RESULT)
    before = store.path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left on device.*make room"):
        store.put(replace(RESULT, method="native"))
    assert store.path.read_bytes() == before
    assert [path.name for path in Path(store.path.parent).iterdir()] == [store.path.name]

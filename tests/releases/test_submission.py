"""What readers hand in of their machines is either sound, or refused with a sentence."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import files
from benchmarks.claims.claim import Claim, Verdict
from benchmarks.claims.expressions import Expression
from benchmarks.claims.judge import of_release
from benchmarks.errors import SubmissionError
from benchmarks.gauge.readings import MemoryRun, TimeRun
from benchmarks.images.image import Image
from benchmarks.prediction import roofline
from benchmarks.releases import machines, submission
from benchmarks.releases.submission import OWN, STANDARD, Given, Machine
from benchmarks.results.provenance import Provenance
from benchmarks.results.result import Result, Status
from benchmarks.runner import self_check
from benchmarks.tasks.task import task_named
from benchmarks.units import GIB, MIB

HERE = Provenance(
    cpu="Some CPU @ 2.0GHz",
    cores=1.0,
    memory_bytes=2 * GIB,
    system="Linux 6.1.0-13-of-somebody, virtual machine",
    python="CPython 3.11.7",
    packages={"nilearn": "0.14.1", "nibabel": "5.4.2"},
    zlib="zlib 1.3",
    threads="as the libraries choose",
    file_system="ext4",
    arrays_for_workers="in memory",
    gauge="kernel marks",
)
MACHINE = Machine(2, 24 * GIB)
IMAGE = Image(Path("/home/somebody/e.nii.gz"), (128, 96, 24, 150), "int16", compression="gz",
              file_bytes=40 * MIB, sha256="0" * 64, reason="It is of somebody.")  # fmt: skip

TASK, METHOD, OTHER = "mean_over_time", "mean_nibabel", "mean_load_img"


def result(method, seconds, digest=None, **others):
    digest = digest or task_named(TASK).method(method).source_sha256
    return Result(
        TASK,
        method,
        digest,
        measured_at="2026-01-01T00:00:00+00:00",
        raw_bytes=IMAGE.raw_bytes,
        time_runs=tuple(TimeRun(seconds + n / 1000, seconds, 0.0) for n in range(5)),
        memory_runs=(MemoryRun(300 * MIB, MIB, 90 * MIB, 300 * MIB, 300 * MIB, 300 * MIB),),
        **others,
    )


def checks():
    for call in self_check.calls(IMAGE):
        runs = (MemoryRun(call.peak_bytes, 0, 30 * MIB, call.peak_bytes, call.peak_bytes),)
        yield Result(self_check.TASK, call.label, self_check._digest(), memory_runs=runs)


def rates():
    for rate in ("inflate_isal", "to_float32"):
        yield replace(result(rate, 0.1, roofline.digest()), memory_runs=())


@pytest.fixture
def stores():
    results = [result(METHOD, 0.5), result(OTHER, 1.0), *rates(), *checks()]
    failed = Result(TASK, METHOD, results[0].source_sha256, Status.RAISED, "no /home/somebody/x")
    own = replace(IMAGE, path=Path("/home/somebody/sub-secret.nii.gz"), shape=(9, 9, 9, 20))
    return {
        (STANDARD, ""): Given(HERE, IMAGE, results),
        (OWN, ""): Given(HERE, own, [failed]),
    }


@pytest.fixture
def found(stores):
    return submission.made(MACHINE, HERE, stores)


@pytest.fixture
def content(found):
    """Return what is in the file, to be changed by a test."""
    return json.loads(found.encoded())


def taken(content):
    return submission.read(json.dumps(content).encode(), "mine.json")


def entry(content, method=METHOD):
    return next(r for r in content["files"][0]["results"] if r["method"] == method)


def test_what_is_made_is_taken_and_names_nothing_of_who_made_it(found):
    encoded = found.encoded()
    read = submission.read(encoded, "mine.json")
    assert read.encoded() == encoded
    for word in (b"/", b"somebody", b"secret", b"6.1.0", b"message"):
        assert word not in encoded
    median = read.stores[STANDARD, ""].get(TASK, METHOD).wall_seconds.median
    assert median == pytest.approx(0.502)
    assert read.stores[OWN, ""].get(TASK, METHOD).status is Status.RAISED


def test_a_machine_of_which_a_part_was_used_is_called_so(found):
    assert found.title == "Some CPU @ 2.0GHz, 1 of 2 cores, 2.0 of 24 GiB"
    whole = replace(HERE, cores=2, memory_bytes=24 * GIB)
    assert MACHINE.title(whole) == "Some CPU @ 2.0GHz, 2 cores, 24 GiB"
    assert found.name.startswith("some-cpu-2-0ghz-1-of-2-cores-")


def script_in_the_name_of_the_processor(content):
    content["provenance"]["cpu"] = "<script>alert(1)</script>"


def script_in_the_name_of_a_method(content):
    entry(content)["method"] = "mean<img src=x onerror=alert(1)>"


def script_in_the_name_of_a_field(content):
    content["provenance"]["packages"]["<b>"] = "1"


def a_quote_in_what_was_returned(content):
    entry(content)["returned"] = {"kind": "str", "text": "'\" onfocus=alert(1)"}


def a_path(content):
    content["provenance"]["system"] = "/home/somebody"


def a_text_that_steers_a_terminal(content):
    content["provenance"]["cpu"] = "\x1b[2J"


def a_long_text(content):
    content["provenance"]["cpu"] = 201 * "a"


def a_negative_time(content):
    entry(content)["time_runs"][0]["wall_seconds"] = -1.0


def a_time_of_nothing(content):
    entry(content)["time_runs"][0]["wall_seconds"] = 0


def a_billion_calls(content):
    entry(content)["time_runs"][0]["calls"] = 10**9


def a_billion_runs(content):
    entry(content)["time_runs"] = 10**9


def many_runs(content):
    entry(content)["time_runs"] *= 21


def no_runs(content):
    entry(content)["time_runs"] = entry(content)["memory_runs"] = []


def a_time_that_is_no_number(content):
    entry(content)["time_runs"][0]["wall_seconds"] = float("nan")


def a_time_without_end(content):
    entry(content)["time_runs"][0]["wall_seconds"] = float("inf")


def a_time_beyond_measure(content):
    entry(content)["time_runs"][0]["wall_seconds"] = 10**400


def a_time_in_words(content):
    entry(content)["time_runs"][0]["wall_seconds"] = "fast"


def negative_memory(content):
    entry(content)["memory_runs"][0]["peak_bytes"] = -1


def more_memory_than_there_is(content):
    entry(content)["memory_runs"][0]["peak_bytes"] = 25 * GIB


def faster_than_the_rates(content):
    for run in entry(content)["time_runs"]:
        run["wall_seconds"] /= 10


def without_rates(content):
    results = content["files"][0]["results"]
    results.remove(entry(content, "inflate_isal"))


def a_gauge_that_was_wrong(content):
    entry(content, "a large block for longer")["memory_runs"][0]["peak_bytes"] = 128 * MIB


def a_gauge_that_was_not_checked(content):
    results = content["files"][0]["results"]
    results.remove(entry(content, "a block for a moment"))


def a_newer_schema(content):
    content["schema"] = submission.SCHEMA + 1


def a_serial_number(content):
    content["serial"] = "1234"


def a_serial_number_of_the_machine(content):
    content["machine"]["serial"] = "1234"


def another_standard_file(content):
    content["files"][0]["data"]["shape"] = [64, 64, 24, 150]


def no_standard_file(content):
    del content["files"][0]


def a_form_of_a_file_that_is_not_there(content):
    content["files"][1]["form"] = "short"


def a_form_that_is_not_known(content):
    content["files"][1]["form"] = "huge"


def a_file_without_volumes(content):
    content["files"][1]["data"]["shape"] = [1, 1, 1, 0]


def a_version_that_is_none(content):
    content["provenance"]["packages"]["nilearn"] = "newest one"


def more_processors_than_there_are(content):
    content["provenance"]["cores"] = 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (script_in_the_name_of_the_processor, "a page would have to escape"),
        (script_in_the_name_of_a_method, "a page would have to escape"),
        (script_in_the_name_of_a_field, "a page would have to escape"),
        (a_quote_in_what_was_returned, "a page would have to escape"),
        (a_path, "or a path"),
        (a_text_that_steers_a_terminal, "a page would have to escape"),
        (a_long_text, "a page would have to escape"),
        (a_negative_time, "mean_nibabel has a time, or a number of calls, that cannot be"),
        (a_time_of_nothing, "mean_nibabel has a time, or a number of calls, that cannot be"),
        (a_billion_calls, "mean_nibabel has a time, or a number of calls, that cannot be"),
        (a_billion_runs, "it is damaged"),
        (many_runs, "mean_nibabel has more than 100 runs"),
        (no_runs, "mean_nibabel has no run"),
        (a_time_that_is_no_number, r"no number \(NaN\)"),
        (a_time_without_end, r"no number \(Infinity\)"),
        (a_time_beyond_measure, "beyond all measure"),
        (a_time_in_words, "it is damaged"),
        (negative_memory, "mean_nibabel has a memory that is negative"),
        (more_memory_than_there_is, "more than its machine has"),
        (faster_than_the_rates, "mean_nibabel is faster than its machine can be"),
        (without_rates, "lacks the rate inflate_isal"),
        (a_gauge_that_was_wrong, "gauge was wrong: a large block for longer needs 256"),
        (a_gauge_that_was_not_checked, "gauge was not checked"),
        (a_newer_schema, "it has schema 2, and this version reads schema 1"),
        (a_serial_number, "does not have the fields"),
        (a_serial_number_of_the_machine, "it is damaged"),
        (another_standard_file, "the standard file has another shape"),
        (no_standard_file, "no results on the standard file"),
        (a_form_of_a_file_that_is_not_there, "or on a whole file"),
        (a_form_that_is_not_known, "a file that is not known here"),
        (a_file_without_volumes, "no shape of four axes"),
        (a_version_that_is_none, "it is damaged"),
        (more_processors_than_there_are, "fewer processors"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_is_refused_with_a_sentence(content, change, sentence):
    taken(content)
    change(content)
    with pytest.raises(SubmissionError, match=sentence) as refused:
        taken(content)
    said = str(refused.value).replace("\N{NO-BREAK SPACE}", " ")
    assert said.startswith("mine.json is refused: ")
    assert said.isprintable()
    assert not set("<>&\"'") & set(said)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"[]", b"1", b"[" * 10**6, b"{}", b"0" * (submission.MOST_FILE_BYTES + 1)],
    ids=["empty", "no text", "list", "number", "deep", "no field", "large"],
)
def test_what_is_no_submission_is_refused_too(content):
    with pytest.raises(SubmissionError, match="is refused"):
        submission.read(content, "mine.json")


def test_what_would_be_refused_is_not_written(stores, tmp_path):
    unchecked = Given(HERE, IMAGE, [result(METHOD, 0.5), *rates()])
    found = submission.made(MACHINE, HERE, {**stores, (STANDARD, ""): unchecked})
    with pytest.raises(SubmissionError, match="gauge was not checked"):
        submission.write(found, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_machine_is_there_beside_the_reference_and_judges_claims(
    found, tmp_path, monkeypatch
):
    monkeypatch.setattr(files, "MACHINES", tmp_path)
    path = submission.write(found, tmp_path)
    assert machines.paths() == [path]
    every = machines.every()
    assert every[0].machine.startswith("Reference machine (")
    standard = next(one for one in every if one.file.startswith("standard"))
    assert (standard.machine, standard.release) == (found.title, "0.14.1 / 5.4.2")
    assert standard.gauge_error_bytes == 0
    assert standard.get(TASK, METHOD).times_least.median > 1
    ratio = Expression.parse(f"{TASK}.{OTHER}.time / {TASK}.{METHOD}.time")
    assert of_release(Claim("", ratio, 1.5, None), standard).verdict is Verdict.HOLDS
    assert of_release(Claim("", ratio, 3.0, None), standard).verdict is Verdict.CONTRADICTED
    elsewhere = Expression.parse("load@nii.get_fdata.time")
    assert of_release(Claim("", elsewhere, 1.0, None), standard).verdict is Verdict.ELSEWHERE


def test_a_damaged_file_among_those_handed_in_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MACHINES", tmp_path)
    (tmp_path / "theirs.json").write_text("{")
    with pytest.raises(SubmissionError, match=r"theirs\.json is refused: it is no JSON"):
        machines.every()


def test_every_file_that_was_handed_in_is_sound_and_has_its_name():
    for path in machines.paths():
        found = submission.read(path.read_bytes(), path.name)
        assert path.name == found.name
        assert len(found.stores[STANDARD, ""].all()) > len(self_check.calls(IMAGE))

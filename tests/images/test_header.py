"""Broken and unusual files: one sentence, exit code 2, and nothing is touched."""

import bz2
import gzip
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from conftest import SHAPE, save_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import __main__, files
from benchmarks.errors import BenchmarkError, DataError
from benchmarks.gauge import procfs
from benchmarks.images import choose
from benchmarks.images import header as headers

NAME = "sub-01_task-rest_bold"
GIVEN = Path(__file__).resolve().parents[3] / "shared" / "data" / "bad"


def plain():
    """Return the bytes of a sound plain file."""
    with tempfile.TemporaryDirectory() as folder:
        return save_run(Path(folder) / "a.nii").read_bytes()


def with_field(at, form, *values):
    """Return the bytes of a file whose header has other values at a place."""
    content = bytearray(plain())
    struct.pack_into(form, content, at, *values)
    return bytes(content)


def packed(content):
    return gzip.compress(content, mtime=0)


def image(values, **choices):
    img = nib.Nifti1Image(values, np.eye(4), **choices)
    return img.to_bytes()


# Offsets are those of nifti1.h.
DIM, DATATYPE, VOX_OFFSET, SLOPE, INTER = 40, 70, 108, 112, 116
COLOURS = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])

#: Name of the file, its content, and what the sentence says.
BROKEN = {
    "empty": ("a.nii.gz", lambda: b"", "is empty"),
    "not NIfTI": ("a.nii", lambda: b"not an image " * 100, "cannot be opened as an image"),
    "zeros": ("a.nii.gz", lambda: bytes(2000), "is not compressed"),
    "Git LFS": (
        "a.nii.gz",
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "git lfs pull",
    ),
    "git-annex": (
        "a.nii.gz",
        lambda: b"/annex/objects/MD5E-s1--0.nii.gz\n",
        "git annex get",
    ),
    "MINC 1": ("a.mnc", lambda: b"CDF\x01" + bytes(500), "MINC"),
    "MINC 2": ("a.mnc", lambda: b"\x89HDF\r\n\x1a\n" + bytes(500), "MINC"),
    "truncated .gz": ("a.nii.gz", lambda: packed(plain())[:900], "damaged|cut off"),
    "wrong CRC": (
        "a.nii.gz",
        lambda: packed(plain())[:-8] + b"\1\2\3\4" + packed(plain())[-4:],
        "is damaged",
    ),
    "no gzip trailer": ("a.nii.gz", lambda: packed(plain())[:-8], "is damaged"),
    "trailing garbage": ("a.nii.gz", lambda: packed(plain()) + b"garbage", "is damaged"),
    "a cut header": ("a.nii", lambda: plain()[:300], "cannot be opened"),
    "fewer data": ("a.nii", lambda: plain()[:-100], "is cut off: its header promises"),
    "fewer data, compressed": ("a.nii.gz", lambda: packed(plain()[:-100]), "is cut off"),
    "far more data": (
        "a.nii.gz",
        lambda: packed(with_field(DIM, "<8h", 4, 32767, 32767, 32767, 32767, 1, 1, 1)),
        "is cut off: .* at most",
    ),
    "negative dimensions": (
        "a.nii",
        lambda: with_field(DIM, "<8h", 4, -8, 7, 6, 5, 1, 1, 1),
        "has the shape|cannot be opened",
    ),
    "no dimension": ("a.nii", lambda: with_field(DIM, "<h", 0), "absurd number"),
    "a hundred dimensions": ("a.nii", lambda: with_field(DIM, "<h", 100), "absurd number"),
    "unknown data type": ("a.nii", lambda: with_field(DATATYPE, "<h", 999), "cannot be opened"),
    "3D": ("a.nii", lambda: image(np.zeros((4, 4, 4), "i2")), "at least 4 volumes"),
    "a single volume": ("a.nii", lambda: image(np.zeros((4, 4, 4, 1), "i2")), "at least 4 vol"),
    "complex": ("a.nii", lambda: image(np.zeros(SHAPE, "c8")), "complex numbers"),
    "RGB": ("a.nii", lambda: image(COLOURS), "colours"),
    "infinite slope": ("a.nii", lambda: with_field(SLOPE, "<f", float("inf")), "the slope inf"),
    "infinite intercept": (
        "a.nii",
        lambda: with_field(SLOPE, "<2f", 2.0, float("inf")),
        "intercept inf|cannot be opened",
    ),
    "NaN intercept": (
        "a.nii",
        lambda: with_field(SLOPE, "<2f", 2.0, float("nan")),
        "intercept nan|cannot be opened",
    ),
    "voxels inside the header": (
        "a.nii",
        lambda: with_field(VOX_OFFSET, "<f", 100),
        "inside its header",
    ),
    "voxels nowhere": ("a.nii", lambda: with_field(VOX_OFFSET, "<f", 1e30), "absurd"),
    "NaN offset": ("a.nii", lambda: with_field(VOX_OFFSET, "<f", float("nan")), "absurd"),
    "plain, named .gz": ("a.nii.gz", plain, "is not compressed"),
    "compressed, named .nii": ("a.nii", lambda: packed(plain()), "is compressed"),
    "bzip2, named .nii": ("a.nii", lambda: bz2.compress(plain()), "is compressed"),
    "steering name": ("a\x1b[31m\n.nii", lambda: b"x" * 400, "cannot be opened"),
}


def files_below(*roots):
    return {path: path.stat().st_size for root in roots for path in Path(root).rglob("*")}


def refused(arguments, capsys, monkeypatch):
    """Run the command line, and return the sentence that it ends with."""
    monkeypatch.setattr(sys, "argv", ["fmri-bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        __main__.entry()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert not said.out
    assert "Traceback" not in said.err
    assert said.err.startswith("Error: ")
    assert "\x1b" not in said.err
    return said.err


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_and_nothing_is_touched(kind, tmp_path, capsys, monkeypatch):
    name, content, message = BROKEN[kind]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = tmp_path / name
    path.write_bytes(content())
    places = tmp_path, files.results_folder().parent
    before = files_below(*places)
    said = refused(["run", "load", path], capsys, monkeypatch)
    assert path.name.split("\x1b")[0] in said
    with pytest.raises(DataError, match=message):
        choose.check(choose.choose(path))
    assert files_below(*places) == before


@pytest.mark.skipif(not GIVEN.is_dir(), reason="there are no collected files beside the checkout")
@pytest.mark.parametrize("path", sorted(GIVEN.glob("*")), ids=lambda path: path.name)
def test_broken_files_that_were_collected_are_refused(path, capsys, monkeypatch):
    assert path.name in refused(["run", "load", path], capsys, monkeypatch)


def test_what_is_no_file_is_refused(tmp_path, capsys, monkeypatch):
    link = tmp_path / "annexed.nii.gz"
    link.symlink_to(".git/annex/objects/MD5E-s1--0.nii.gz")
    pipe = tmp_path / "pipe.nii"
    os.mkfifo(pipe)
    for path, message in (
        (tmp_path / "missing.nii", "does not exist"),
        (tmp_path, "is a folder"),
        (link, "git annex get"),
        (tmp_path / ("n" * 300), "cannot be opened"),
        (Path(os.devnull), "is no ordinary file"),
        (pipe, "is no ordinary file"),
    ):
        assert message in refused(["predict", path], capsys, monkeypatch)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of Unix")
def test_a_file_without_permission_is_refused(fmri_path):
    fmri_path.chmod(0)
    everything = os.geteuid() == 0  # root may read all: become nobody for a moment
    if everything:
        os.seteuid(65534)
    try:
        with pytest.raises(DataError, match="may not be read"):
            headers.read(fmri_path)
    finally:
        if everything:
            os.seteuid(0)


@pytest.mark.parametrize(
    "name", ["a b.nii.gz", 'it\'s "quoted".nii.gz', "mäßig—脑.nii.gz", "-v.nii"]
)
def test_any_name_will_do(name, tmp_path):
    path = save_run(tmp_path / name)
    file = choose.choose(path)
    choose.check(file)
    assert (file.path, file.name) == (path, name)


@pytest.mark.parametrize("slope", [0.0, float("nan")])
def test_an_open_slope_is_allowed_and_said(slope, tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(with_field(SLOPE, "<f", slope))
    header = headers.read(path)
    assert (header.slope, header.inter, header.scaled) == (1, 0, False)
    assert "leaves the slope open" in header.remark
    np.testing.assert_array_equal(nib.load(path).get_fdata(), np.asarray(nib.load(path).dataobj))


def test_a_header_of_a_hundred_gigabytes_is_read_at_once(tmp_path):
    shape = (1000, 1000, 500, 100)
    content = with_field(DIM, "<8h", 4, *shape, 1, 1, 1)[:352]
    path = tmp_path / "large.nii"
    with path.open("wb") as file:
        file.write(content)
        file.truncate(352 + 2 * 1000 * 1000 * 500 * 100)  # sparse
    counters = Path("/proc/self/io")
    before = counters.read_text() if counters.exists() else ""
    header = headers.read(path)
    assert (header.shape, header.raw_bytes) == (shape, 10**11)
    if before:
        grown = [
            int(after.split()[1]) - int(earlier.split()[1])
            for after, earlier in zip(
                counters.read_text().splitlines(), before.splitlines(), strict=True
            )
        ]
        assert grown[0] < 1 << 20  # rchar


def mutated(draw_bytes, edits):
    content = bytearray(draw_bytes)
    for at, value in edits:
        content[at % len(content)] = value
    return bytes(content)


EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12)
HEADER_EDITS = st.lists(
    st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=12
)
QUIET = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Memory:
    """Tells how far the memory of this process rises above where it is now."""

    def __init__(self):
        self.process = procfs.ProcessMemory(os.getpid())
        self.process.read()
        self.start = self.process.resident_kib

    def above(self):
        self.process.read()
        return self.process.mark_kib - self.start


@pytest.fixture(scope="module")
def memory():
    if not procfs.can_reset_peak():
        pytest.skip("this system does not let a process reset its highest memory")
    return Memory()


def outcome(path):
    """Look at a file as a run does; only an error of ours may come out."""
    try:
        file = choose.choose(path)
        choose.check(file)
    except BenchmarkError as error:
        return str(error)
    return "accepted"


@pytest.mark.filterwarnings("ignore")
@QUIET
@given(edits=HEADER_EDITS, ending=st.sampled_from([".nii", ".nii.gz"]))
def test_no_header_brings_it_down(edits, ending, tmp_path, memory):
    content = mutated(SOUND, edits)
    path = tmp_path / f"a{ending}"
    path.write_bytes(packed(content) if ending == ".nii.gz" else content)
    assert outcome(path) == "accepted" or str(path) in outcome(path)
    assert memory.above() < 200 * 1024


@pytest.mark.filterwarnings("ignore")
@QUIET
@given(edits=EDITS, cut=st.integers(0, 2000))
def test_no_compressed_stream_brings_it_down(edits, cut, tmp_path, memory):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(mutated(packed(SOUND), edits)[: -cut or None])
    assert outcome(path) == "accepted" or str(path) in outcome(path)
    assert memory.above() < 200 * 1024


SOUND = plain()


def test_what_packs_to_little_is_not_unpacked_into_memory(tmp_path, memory):
    path = tmp_path / "bomb.nii.gz"
    with gzip.open(path, "wb") as file:
        file.write(with_field(DIM, "<8h", 4, 1000, 1000, 100, 4, 1, 1, 1)[:352])
        for _ in range(800):
            file.write(bytes(1 << 20))
    assert outcome(path) == "accepted"
    assert memory.above() < 200 * 1024


def test_a_refusal_is_one_line(tmp_path):
    shutil.rmtree(tmp_path)
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks", "predict", tmp_path / "gone.nii"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.count("\n") == 1

import os
import resource
import subprocess
import sys

import pytest

from benchmarks.files import written_whole


@pytest.fixture(params=["unnamed", "named"])
def _way(request, monkeypatch):
    if request.param == "named":  # as on systems without O_TMPFILE
        monkeypatch.delattr(os, "O_TMPFILE")


@pytest.mark.usefixtures("_way")
def test_a_file_is_made_with_its_folder_and_replaced_whole(tmp_path):
    path = tmp_path / "new" / "file.json"
    for content in (b"old", b"new"):
        with written_whole(path) as file:
            file.write(content)
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["file.json"]


@pytest.mark.usefixtures("_way")
def test_an_error_in_the_middle_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(b"old")

    def interrupted():
        with written_whole(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.json"]


@pytest.mark.usefixtures("_way")
def test_two_that_write_the_same_file_do_not_meet(tmp_path):
    path = tmp_path / "file.json"
    with written_whole(path) as one:
        one.write(b"the first")
        with written_whole(path) as other:
            other.write(b"2")
        assert path.read_bytes() == b"2"
    assert path.read_bytes() == b"the first"
    assert os.listdir(tmp_path) == ["file.json"]


def test_what_was_left_unfinished_long_ago_is_removed(tmp_path):
    path = tmp_path / "file.json"
    left, fresh, other = (
        tmp_path / f".{name}.new" for name in ("file.json.0a", "file.json.0b", "other.json.0a")
    )
    for one in (left, fresh, other):
        one.touch()
    for one in (left, other):
        os.utime(one, (0, 0))
    with written_whole(path):
        pass
    assert not left.exists()
    assert fresh.exists()
    assert other.exists()


def test_a_kill_in_the_middle_leaves_nothing(tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    source = (
        "import os, pathlib, signal, sys\n"
        "from benchmarks.files import written_whole\n"
        "with written_whole(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", source, path], check=False)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.json"]


def test_a_disk_without_room_is_an_error_and_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="large"), written_whole(path) as file:
            file.write(bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.json"]

"""Runs that are forked: what they have of their own, and what is left when something is killed."""

import gc
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import children

from benchmarks import measure
from benchmarks.runner import execute, keeper, launch
from benchmarks.runner.launch import prepare
from benchmarks.runner.order import Batch, Order, Origin
from benchmarks.tasks import source

TIME = Batch(time=1)


def carry_out(function, *args, batch=TIME, **choices):
    return execute.carry_out(prepare(Order(function, (args,), batch, reduced=True), **choices))


def returned(function, *args, **choices):
    outcome = carry_out(function, *args, batch=Batch(memory=1), **choices)
    assert isinstance(outcome, execute.Outcome), outcome
    found = outcome.returned[-1]
    return found.text.strip("'")


@pytest.fixture
def templates():
    """Begin without a keeper, and end it with all its templates."""
    launch.end_templates()
    yield
    launch.end_templates()


def note_ids(path):
    with Path(path).open("a") as file:
        file.write(f"{os.getppid()} {os.getpid()}\n")


def ids_of(path):
    return [tuple(map(int, line.split())) for line in path.read_text().splitlines()]


@pytest.mark.usefixtures("templates")
def test_the_runs_of_a_method_are_forked_from_three_templates(tmp_path):
    path = tmp_path / "ids"
    assert measure(note_ids, path, runs=5).status == "ok"
    pairs = set(ids_of(path))
    assert len({run for _, run in pairs}) >= 3
    parents = {parent for parent, _ in pairs}
    assert len(parents) == 3
    (keeper_id,) = {psutil.Process(parent).ppid() for parent in parents}
    assert keeper_id == launch._KEPT[0]._process.pid
    path.unlink()
    measure(note_ids, path, runs=3)
    assert {parent for parent, _ in ids_of(path)} == parents


@pytest.mark.usefixtures("templates")
def test_a_fresh_interpreter_is_no_fork_and_imports_by_itself(tmp_path):
    path = tmp_path / "ids"
    for _ in range(2):
        carry_out(note_ids, path, fresh=True)
    parents, runs = zip(*ids_of(path), strict=True)
    assert {*parents} == {launch._KEPT[0]._process.pid}
    assert len({*runs}) == 2


@pytest.fixture
def no_pidfd(tmp_path, monkeypatch, templates):  # noqa: ARG001 - ended before and after
    """Have keepers find no `os.pidfd_open`, as with some builds of Python."""
    (tmp_path / "sitecustomize.py").write_text("import os\ndel os.pidfd_open\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("no_pidfd")
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("batch", [TIME, Batch(memory=1), Batch(time=1, memory=1)])
def test_a_python_without_pidfd_measures_as_well(fresh, batch):
    outcome = carry_out(os.getpid, batch=batch, fresh=fresh)
    assert isinstance(outcome, execute.Outcome), outcome
    assert len(outcome.runs) == batch.runs


@pytest.mark.usefixtures("no_pidfd")
@pytest.mark.parametrize("fresh", [False, True])
def test_there_a_run_that_crashes_is_noticed_too(fresh):
    for batch in (TIME, Batch(memory=1)):
        outcome = carry_out(os.abort, batch=batch, fresh=fresh)
        assert outcome.status == "crashed"
        assert "SIGABRT" in outcome.message


def test_the_template_has_imported_what_the_function_names():
    def frozen():
        import nibabel

        # The warm-up call would have imported it, had it not been there: then it is not frozen.
        return f"{gc.get_freeze_count()} {nibabel.__name__}"

    assert prepare(Order(frozen, (), TIME)).origin.imports == ("nibabel",)
    counts = [int(returned(frozen, imports=names).split()[0]) for names in (None, ())]
    assert counts[0] > counts[1] + 5000


def test_imports_are_those_of_installed_packages_and_none_that_another_brings(example):
    (function,) = example(
        """
        import json
        import nibabel as nib
        import numpy as np
        from benchmarks import measure

        def helper(img):
            from joblib import Parallel
            from scipy.ndimage import label
            return Parallel, label, json, measure

        def method(path):
            return helper(np.asarray(nib.load(path).dataobj))

        METHODS = [method]
        """
    )
    # nibabel needs numpy; scipy is needed by none of them.
    assert source.imports(function) == ("joblib", "nibabel", "scipy.ndimage")


def test_random_numbers_differ_from_run_to_run():
    def both():
        return f"{random.random()} {np.random.random()}"  # noqa: NPY002, S311

    first, second = returned(both).split(), returned(both).split()
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_a_run_has_the_environment_and_the_folder_of_its_moment(monkeypatch, tmp_path):
    def seen():
        return f"{os.environ.get('SEEN')} {Path.cwd()}"

    monkeypatch.setenv("SEEN", "first")
    assert returned(seen).startswith("first ")
    monkeypatch.setenv("SEEN", "second")
    monkeypatch.chdir(tmp_path)
    assert returned(seen) == f"second {tmp_path}"


def test_a_module_of_ones_own_is_measured_as_it_is_now(monkeypatch, tmp_path):
    import importlib

    path = tmp_path / "own_module.py"
    path.write_text("def answer():\n    return 'first'\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("own_module")
    assert returned(module.answer) == "first"
    path.write_text("def answer():\n    return 'the second'\n")
    assert returned(module.answer) == "the second"


def installed(folder, name, text):
    """Write a package where installers put packages."""
    path = folder / "site-packages" / name / "__init__.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return str(path.parent.parent)


@pytest.mark.usefixtures("templates")
def test_what_starts_threads_when_imported_gets_fresh_interpreters(monkeypatch, tmp_path, capsys):
    text = (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    monkeypatch.syspath_prepend(installed(tmp_path, "with_a_thread", text))

    def alive():
        import threading

        import with_a_thread

        return f"{os.getppid()} {threading.active_count()} {with_a_thread.__name__}"

    keeper_id, threads, _ = returned(alive).split()
    assert int(keeper_id) == launch._KEPT[0]._process.pid
    assert threads == "2"
    assert returned(alive).split()[1] == "2"
    assert capsys.readouterr().err.count("Each run with with_a_thread starts an interpreter") == 1


def test_what_cannot_be_imported_is_reported_by_the_run(monkeypatch, tmp_path):
    text = "raise RuntimeError('no such device')\n"
    monkeypatch.syspath_prepend(installed(tmp_path, "that_fails", text))

    def method():
        import that_fails

        return that_fails

    outcome = carry_out(method)
    assert outcome.message == "raised RuntimeError: no such device"


def descriptors():
    return len(os.listdir(f"/proc/{launch._KEPT[0]._process.pid}/fd"))


def test_a_keeper_holds_nothing_of_what_is_done():
    from benchmarks.runner import known_calls

    carry_out(known_calls.nothing)
    before = descriptors()
    for _ in range(5):
        carry_out(known_calls.hold, 1, 0, batch=Batch(1, 1))
        carry_out(os._exit, 3)
        carry_out(known_calls.nothing, fresh=True)
    assert descriptors() <= before + 2  # one template more: that of os._exit


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_for(path):
    deadline = time.monotonic() + 30
    while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.usefixtures("templates")
@pytest.mark.parametrize("victim", ["template", "keeper"])
def test_one_that_was_killed_while_it_waited_is_started_again(victim, tmp_path):
    path = tmp_path / "ids"
    carry_out(note_ids, path)
    ((template, _),) = set(ids_of(path))
    kill({"template": template, "keeper": launch._KEPT[0]._process.pid}[victim])
    time.sleep(0.2)
    assert isinstance(carry_out(note_ids, path), execute.Outcome)
    assert len({parent for parent, _ in ids_of(path)}) == 2


#: A process that sleeps for so long is of a test here.
SLEEP = f"600.{os.getpid()}"


def busy(path, seconds, sleep):
    """Be at work, with a file and a worker process, for some time."""
    import subprocess
    import tempfile

    Path(tempfile.gettempdir(), "half.nii").write_bytes(bytes(1000))
    with subprocess.Popen(["/bin/sleep", sleep]) as worker:
        note_ids(path)
        time.sleep(seconds)
        worker.kill()


@pytest.mark.usefixtures("templates")
@pytest.mark.parametrize("victim", ["template", "keeper", "run"])
@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3])
def test_whoever_is_killed_while_a_run_is_on_nothing_is_left(
    victim, moment, tmp_path, monkeypatch
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(launch.tempfile, "tempdir", str(temporary))
    before, path = children(), tmp_path / "ids"

    def strike():
        wait_for(path)
        time.sleep(moment)
        template, run = ids_of(path)[0]
        kill({"template": template, "keeper": launch._KEPT[0]._process.pid, "run": run}[victim])

    thread = threading.Thread(target=strike)
    thread.start()
    outcome = carry_out(busy, path, 0.6, SLEEP)
    thread.join()
    assert outcome.status == "crashed"
    launch.end_templates()
    wait_until_gone(ids_of(path)[0])
    assert children() <= before
    assert list(temporary.iterdir()) == []
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["/bin/sleep", SLEEP]
    ]


def wait_until_gone(ids):
    deadline = time.monotonic() + 10
    while any(map(psutil.pid_exists, ids)) and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_template_that_is_killed_before_it_has_read_its_order_has_nothing_to_say(tmp_path):
    with (tmp_path / "printed").open("w") as printed:
        environment = tuple(launch.environment(hidden=True).items())
        origin = Origin(sys.executable, ("time",), environment, str(tmp_path))
        template = keeper.Template(origin, printed.fileno(), fresh=False)
    assert template.told() == "fork"
    os.kill(template.process.pid, signal.SIGSTOP)
    template.socket.send(b"an order")
    template.process.kill()
    template.process.wait()
    assert template.told() == ""
    assert template.end() == -signal.SIGKILL


class Waiting:
    """A template that does nothing but wait."""

    def __init__(self, ended):
        self.ended = ended

    def end(self):
        self.ended.append(self)


def test_templates_that_were_not_used_for_longest_are_ended_first():
    ended = []
    kept = keeper.Keeper(None)
    first, second, third = (Waiting(ended) for _ in range(3))
    for number, template in enumerate((first, second, third)):
        kept._templates[Origin("", (), (), "", number)] = template
    kept._end(2)
    assert ended == [first]
    kept._end(-1)
    assert ended == [first, second, third]


def test_templates_give_their_memory_back_when_no_order_comes(monkeypatch):
    import socket

    monkeypatch.setattr(keeper, "WAIT_SECONDS", 0.01)
    ended = threading.Event()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = keeper.Keeper(theirs)
    template = Waiting([])
    template.end = ended.set
    kept._templates[Origin("", (), (), "", 0)] = template
    thread = threading.Thread(target=kept.serve)
    thread.start()
    assert ended.wait(10)
    ours.close()
    thread.join(10)
    assert not thread.is_alive()
    theirs.close()


@pytest.mark.usefixtures("templates")
def test_a_keeper_that_ends_is_not_blamed_on_the_method():
    carry_out(os.getpid)
    keeper_id = launch._KEPT[0]._process.pid
    threading.Timer(0.5, os.kill, (keeper_id, signal.SIGKILL)).start()
    outcome = carry_out(time.sleep, 5)
    assert outcome.status == "crashed"
    assert "the process that watched it ended; see whether there is room in" in outcome.message


def test_half_an_answer_is_none(tmp_path):
    path = tmp_path / "answer"
    path.write_text('{"worker": {"timed": []}}\n{"keeper": {"co')
    with path.open("rb") as answer:
        assert launch._answers(answer) == {"worker": {"timed": []}}

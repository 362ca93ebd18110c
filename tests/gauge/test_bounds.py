import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import pytest
from cgroups import command as in_cgroups
from cgroups import limited
from click.testing import CliRunner

from benchmarks import __main__
from benchmarks.gauge import bounds, machine, shared_memory
from benchmarks.gauge.bounds import ARRAYS, FILES, MEMORY, PROCESSORS
from benchmarks.results.result import Status
from benchmarks.runner import keeper, launch
from benchmarks.units import GIB, MIB

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "35 31 0:32 {root} /sys/fs/cgroup/{name} rw,relatime - cgroup cgroup rw,{name}"

VARIABLES = {
    "LSB_DJOB_NUMPROC",
    "NCPUS",
    "NSLOTS",
    "PBS_NUM_PPN",
    "PBS_RESC_MEM",
    "SLURM_CPUS_ON_NODE",
    "SLURM_CPUS_PER_TASK",
    "SLURM_MEM_PER_CPU",
    "SLURM_MEM_PER_GPU",
    "SLURM_MEM_PER_NODE",
}


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    """Put a machine of 64 GiB and 16 processors without any other bound into a folder."""
    monkeypatch.setattr(bounds, "ROOT", tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    memory = psutil.virtual_memory()._replace(total=64 * GIB, available=60 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    for name in VARIABLES | {"PBS_JOBID", "JOB_ID", shared_memory.JOBLIB_FOLDER}:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(tree, files):
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def version_2(tree, path, files):
    """Write a cgroup v2 hierarchy, its files given by the cgroup that they are in."""
    write(tree, {"proc/self/cgroup": f"0::{path}", "proc/self/mountinfo": V2})
    write(tree, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})


def version_1(tree, controller, path, files, root="/"):
    """Write the same for one controller of version 1, as systemd mounts it beside an empty v2."""
    mounts = [V2, V1.format(root="/", name="pids"), V1.format(root=root, name=controller)]
    write(
        tree,
        {
            "proc/self/cgroup": f"9:pids:/\n4:other,{controller}:{path}\n0::/",
            "proc/self/mountinfo": "\n".join(mounts),
        },
    )
    write(tree, {f"sys/fs/cgroup/{controller}/{name}": text for name, text in files.items()})


def counting(limits):
    return min(
        (bound for bound in bounds.found() if bound.limits == limits), key=lambda bound: bound.free
    )


def test_without_any_other_bound_those_of_the_machine_count():
    assert (machine.total_bytes(), machine.free_bytes()) == (64 * GIB, 60 * GIB)
    assert machine.usable_bytes() == 54 * GIB
    assert machine.cores() == 16
    assert {bound.source for bound in bounds.found() if bound.limits == MEMORY} == {"the machine"}


def test_the_limit_of_a_job_is_found_below_the_mount(tree):
    version_2(
        tree,
        "/slurm/job_7",
        {
            "slurm/job_7/memory.max": 2 * GIB,
            "slurm/job_7/memory.current": 1 * GIB,
            "slurm/job_7/memory.stat": f"anon 1\ninactive_file {GIB // 4}\nactive_file 5",
        },
    )
    assert machine.total_bytes() == 2 * GIB
    assert machine.free_bytes() == 2 * GIB - (GIB - GIB // 4)  # its page cache can be given up
    assert counting(MEMORY).source == "/sys/fs/cgroup/slurm/job_7/memory.max"


def test_the_tightest_of_nested_cgroups_counts(tree):
    version_2(
        tree,
        "/slurm/job_7/step_0",
        {
            "slurm/job_7/step_0/memory.max": "max",
            "slurm/job_7/memory.max": 3 * GIB,
            "slurm/job_7/memory.current": 0,
            "slurm/memory.max": 4 * GIB,
            "slurm/memory.current": 0,
        },
    )
    assert counting(MEMORY).source == "/sys/fs/cgroup/slurm/job_7/memory.max"
    # The wider one counts once others have used it up.
    write(tree, {"sys/fs/cgroup/slurm/memory.current": 2 * GIB})
    assert machine.total_bytes() == 3 * GIB
    assert machine.free_bytes() == 2 * GIB
    assert counting(MEMORY).source == "/sys/fs/cgroup/slurm/memory.max"


def test_what_slows_a_job_down_counts_as_what_ends_it(tree):
    version_2(tree, "/job", {"job/memory.max": 3 * GIB, "job/memory.high": 2 * GIB})
    assert counting(MEMORY).source == "/sys/fs/cgroup/job/memory.high"


def test_version_1_is_read_up_to_its_root(tree):
    version_1(
        tree,
        "memory",
        "/slurm/uid_1/job_7",
        {
            "slurm/uid_1/job_7/memory.limit_in_bytes": 0x7FFFFFFFFFFFF000,  # none
            "slurm/uid_1/memory.limit_in_bytes": 5 * GIB,
            "slurm/uid_1/memory.usage_in_bytes": 3 * GIB,
            "slurm/uid_1/memory.stat": f"inactive_file 9\ntotal_inactive_file {GIB}",
            "memory.limit_in_bytes": 0x7FFFFFFFFFFFF000,
        },
    )
    found = [bound for bound in bounds.memory() if "cgroup" in bound.source]
    assert [bound.amount for bound in found] == [5 * GIB]
    assert machine.free_bytes() == 3 * GIB


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/docker/abc", "/docker/abc"),  # its own part of the hierarchy is what is mounted
        ("/kubepods/pod/abc", "/"),  # the path is the host's, and is not there
        ("/kubepods/pod/abc", "/other"),
        ("/../../outside", "/"),  # another namespace
    ],
)
def test_in_a_container_what_is_mounted_is_its_own(tree, path, root):
    (tree / "outside").mkdir()
    version_1(tree, "memory", path, {"memory.limit_in_bytes": GIB}, root=root)
    assert machine.total_bytes() == GIB


def test_a_quota_of_version_2_is_a_number_of_processors(tree):
    version_2(
        tree,
        "/a/b",
        {
            "a/b/cpu.max": "max 100000",
            "a/cpu.max": "150000 100000",
            "a/b/cpuset.cpus.effective": "0-3,8",
        },
    )
    assert machine.cores() == 1.5
    assert 5 in {bound.amount for bound in bounds.processors()}


def test_a_quota_of_version_1_is_one_too(tree):
    files = {
        "a/b/cpu.cfs_quota_us": -1,
        "a/b/cpu.cfs_period_us": 100000,
        "a/cpu.cfs_quota_us": 50000,
        "a/cpu.cfs_period_us": 100000,
    }
    version_1(tree, "cpu", "/a/b", files)
    assert machine.cores() == 0.5


def test_a_list_of_processors_counts(tree):
    version_1(tree, "cpuset", "/a", {"a/cpuset.effective_cpus": "2,4-6"})
    assert machine.cores() == 4
    write(tree, {"sys/fs/cgroup/cpuset/a/cpuset.effective_cpus": ""})
    assert machine.cores() == 16


@pytest.mark.parametrize(
    ("variables", "total_bytes", "source"),
    [
        ({"SLURM_MEM_PER_NODE": "4096"}, 4 * GIB, "SLURM_MEM_PER_NODE"),
        ({"SLURM_MEM_PER_NODE": "4G"}, 4 * GIB, "SLURM_MEM_PER_NODE"),
        ({"SLURM_MEM_PER_NODE": "2097152K"}, 2 * GIB, "SLURM_MEM_PER_NODE"),
        ({"SLURM_MEM_PER_NODE": "0"}, 64 * GIB, "the machine"),
        ({"SLURM_MEM_PER_NODE": "a lot"}, 64 * GIB, "the machine"),
        (
            {"SLURM_MEM_PER_CPU": "512", "SLURM_CPUS_ON_NODE": "6", "SLURM_CPUS_PER_TASK": "2"},
            3 * GIB,
            "SLURM_MEM_PER_CPU × SLURM_CPUS_ON_NODE",
        ),
        (
            {"SLURM_MEM_PER_CPU": "1G", "SLURM_CPUS_PER_TASK": "2"},
            2 * GIB,
            "SLURM_MEM_PER_CPU × SLURM_CPUS_PER_TASK",
        ),
        ({"SLURM_MEM_PER_CPU": "1G"}, GIB, "SLURM_MEM_PER_CPU"),
        (
            {"SLURM_MEM_PER_GPU": "8G", "SLURM_GPUS_ON_NODE": "2"},
            16 * GIB,
            "SLURM_MEM_PER_GPU × SLURM_GPUS_ON_NODE",
        ),
        ({"PBS_RESC_MEM": str(3 * GIB)}, 3 * GIB, "PBS_RESC_MEM"),
        ({"PBS_RESC_MEM": "3145728kb"}, 3 * GIB, "PBS_RESC_MEM"),
    ],
)
def test_the_memory_of_a_batch_job_counts_in_its_units(
    monkeypatch, variables, total_bytes, source
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert machine.total_bytes() == total_bytes
    assert counting(MEMORY).source == source


def test_what_a_job_holds_already_is_taken_off_its_memory(monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "4G")
    held = [np.ones(200 * MIB, np.uint8)]
    with_array = machine.free_bytes()
    held.clear()
    assert machine.free_bytes() - with_array == pytest.approx(200 * MIB, abs=20 * MIB)
    assert with_array < 4 * GIB - 200 * MIB


@pytest.mark.parametrize(
    ("variables", "cores"),
    [
        ({"SLURM_CPUS_ON_NODE": "6", "SLURM_CPUS_PER_TASK": "2"}, 6),
        ({"SLURM_CPUS_PER_TASK": "2"}, 2),
        ({"SLURM_CPUS_ON_NODE": "many"}, 16),
        ({"PBS_JOBID": "7", "NCPUS": "3"}, 3),
        ({"PBS_JOBID": "7", "NCPUS": "1", "PBS_NUM_PPN": "4"}, 4),
        ({"NCPUS": "3"}, 16),  # no job
        ({"JOB_ID": "7", "NSLOTS": "5"}, 5),
        ({"NSLOTS": "5"}, 16),
        ({"LSB_DJOB_NUMPROC": "8"}, 8),
    ],
)
def test_the_processors_of_a_batch_job_count(monkeypatch, variables, cores):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert machine.cores() == cores


@pytest.mark.parametrize(
    ("name", "source"),
    [("RLIMIT_AS", "RLIMIT_AS (ulimit -v)"), ("RLIMIT_RSS", "RLIMIT_RSS (ulimit -m)")],
)
def test_the_limits_that_batch_systems_give_a_shell_count(name, source):
    code = (
        f"import json, resource; resource.setrlimit(resource.{name}, ({GIB}, -1))\n"
        "from benchmarks.gauge import bounds, machine\n"
        "sources = [bound.source for bound in bounds.memory()]\n"
        "print(json.dumps([machine.total_bytes(), machine.free_bytes(), sources]))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    total, free, sources = json.loads(printed)
    assert total == GIB
    assert 0 < free < GIB - MIB
    assert source in sources


def test_a_small_file_system_in_memory_is_said_and_left_to_others(tmp_path, monkeypatch):
    if not shared_memory.FOLDER.is_dir():
        pytest.skip("this system has no file system in memory")
    assert counting(FILES).source == "/dev/shm"
    monkeypatch.setattr(shared_memory, "ROOM_BYTES", float("inf"))  # as the 64 MiB of a container
    assert counting(ARRAYS).source == tempfile.gettempdir()
    monkeypatch.setenv(shared_memory.JOBLIB_FOLDER, str(tmp_path))
    assert counting(ARRAYS).source == f"JOBLIB_TEMP_FOLDER={tmp_path}"


def test_arrays_are_in_memory_unless_joblib_is_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_memory, "ROOM_BYTES", 0)
    if shared_memory.shared_memory() is None:
        pytest.skip("this system has no file system in memory")
    monkeypatch.setenv(shared_memory.JOBLIB_FOLDER, str(shared_memory.FOLDER / "mine"))
    assert shared_memory.shared_memory() == shared_memory.FOLDER
    monkeypatch.setenv(shared_memory.JOBLIB_FOLDER, str(tmp_path))
    if not tmp_path.is_relative_to(shared_memory.FOLDER):
        assert shared_memory.shared_memory() is None


def command(*words):
    return CliRunner().invoke(__main__.main, words, catch_exceptions=False).output


def test_the_command_lists_every_bound_and_says_which_counts(tree, monkeypatch):
    job = "slurm_node17.example.org/uid_1000/job_123456789/step_batch/user/task_0"
    version_2(tree, f"/{job}", {f"{job}/memory.max": 2 * GIB, f"{job}/cpu.max": "max 100000"})
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    lines = command("machine").splitlines()
    rows = {line.split("  ")[0]: line.split() for line in lines}
    (cut,) = (name for name in rows if name.endswith("task_0/memory.max"))
    assert cut.startswith("memory: …")
    assert rows[cut][-5:] == ["2.00", "GiB", "2.00", "GiB", "yes"]
    assert rows["memory: the machine"][-4:] == ["64.0", "GiB", "60.0", "GiB"]
    assert rows["processors: SLURM_CPUS_ON_NODE"][-3:] == ["1", "1", "yes"]
    assert max(map(len, lines)) <= 100
    assert lines[-1].replace("\N{NO-BREAK SPACE}", " ") == (
        "A run may use 1.80 GiB of memory, 90% of what is free, and 1 processor."
    )
    found = json.loads(command("machine", "--json"))["bounds"]
    assert {
        "limits": MEMORY,
        "source": f"/sys/fs/cgroup/{job}/memory.max",
        "bytes": 2 * GIB,
        "free_bytes": 2 * GIB,
        "counts": True,
    } in found
    assert [row["processors"] for row in found if row["limits"] == PROCESSORS] == [16, 16, 1]


def test_joblib_starts_no_more_workers_than_a_job_has_processors(monkeypatch):
    assert launch.environment(hidden=False)[launch.WORKERS] == "16"
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "3")
    assert launch.environment(hidden=False)[launch.WORKERS] == "3"
    monkeypatch.setenv(launch.WORKERS, "2")  # of the user's own
    assert launch.environment(hidden=False)[launch.WORKERS] == "2"


# In cgroups that the kernel enforces.


#: 1 GiB of memory and one processor, by controller: v2 has one hierarchy for both, v1 two.
LIMITS = (
    {"": {"memory.max": f"{GIB}", "cpu.max": "100000 100000"}},
    {
        "memory": {"memory.limit_in_bytes": f"{GIB}"},
        "cpu": {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"},
    },
)


@pytest.fixture(scope="module")
def cgroups():
    """Make cgroups of 1 GiB of memory and one processor."""
    with contextlib.ExitStack() as made:
        try:
            folders = made.enter_context(limited(*LIMITS))
        except OSError as error:
            pytest.skip(f"no cgroup with a limit can be made here: {error}")
        yield folders


def inside(folders, *words):
    """Run a command in cgroups, and return what it printed as JSON."""
    ran = subprocess.run(
        in_cgroups(folders, sys.executable, *words), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_real_cgroup_is_found_and_counts(cgroups):
    found = inside(cgroups, "-m", "benchmarks", "machine", "--json")["bounds"]
    memory, processors = (
        next(row for row in found if row["counts"] and row["limits"] == limits)
        for limits in (MEMORY, PROCESSORS)
    )
    assert Path(memory["source"]).parent == cgroups[0]
    assert memory["bytes"] == GIB
    assert 0.8 * GIB < memory["free_bytes"] < GIB
    assert Path(processors["source"]).parent == cgroups[-1]
    assert processors["processors"] == 1


def test_in_a_real_cgroup_methods_are_predicted_not_to_fit(cgroups, tmp_path):
    # As float64, it takes four times its raw size of 320 MB, and is all holes on the disk.
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((64, 64, 40, 1000))
    header["vox_offset"] = 352
    path = tmp_path / "bold.nii"
    with path.open("wb") as file:
        header.write_to(file)
        file.truncate(352 + 64 * 64 * 40 * 1000 * 2)
    found = inside(cgroups, "-m", "benchmarks", "predict", path, "--json")
    assert 0.7 * GIB < found["free_bytes"] < GIB
    verdicts = {row["method"]: row["verdict"] for row in found["methods"] if row["task"] == "load"}
    assert verdicts["get_fdata"] == "does not fit"
    assert verdicts["nibabel_load"] == "fits"
    at_once = {row["method"]: row["at_once"] for row in found["methods"] if row["task"] == "load"}
    assert (at_once["get_fdata"], at_once["nibabel_load"]) == (0, 1)  # there is one processor


RUN = """
import json, sys, time
import joblib, numpy as np
from benchmarks.gauge import machine
from benchmarks.runner import execute
from benchmarks.runner.keeper import TEMPLATE_BYTES
from benchmarks.runner.launch import prepare
from benchmarks.runner.order import Batch, Order

def fill(path):
    with open(path, "w") as file:
        file.write(str(joblib.cpu_count()))
    held = []
    for _ in range(48):
        held.append(np.ones(32 << 20, np.uint8))
        time.sleep(0.02)

failure = execute.carry_out(prepare(Order(fill, ((sys.argv[1],),), Batch(memory=1))))
templates = machine.usable_bytes() // TEMPLATE_BYTES
print(json.dumps([failure.status, failure.message, templates]))
"""


@pytest.mark.alone
def test_in_a_real_cgroup_a_run_is_stopped_before_the_kernel_does(cgroups, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(RUN)
    status, message, templates = inside(cgroups, script, tmp_path / "count")
    assert status == Status.OVER_MEMORY, message
    assert (tmp_path / "count").read_text() == "1"
    assert templates <= 1 < keeper.MOST_TEMPLATES

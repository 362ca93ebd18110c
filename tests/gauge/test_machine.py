import psutil

from benchmarks.gauge import machine


def test_without_a_container_it_is_that_of_the_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.total_bytes() == psutil.virtual_memory().total
    assert 0 < machine.free_bytes() <= machine.total_bytes()
    assert machine.usable_bytes() < machine.free_bytes()


def test_a_container_has_what_its_limit_leaves_and_its_cache_is_free(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 400000\ninactive_file 300000\n")
    assert machine.total_bytes() == 1_000_000
    assert machine.free_bytes() == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_bytes() > 1_000_000

"""Make an environment for each release; ``fmri-bench releases`` then measures all in turns."""

from __future__ import annotations

from pathlib import Path

import nox

from benchmarks.files import PROJECT
from benchmarks.releases import environments

nox.needs_version = ">=2024.4.15"
nox.options.envdir = str(environments.NOX)
nox.options.reuse_venv = "yes"


@nox.session(venv_backend="venv")
@nox.parametrize("release", [nox.param(one, id=one.name) for one in environments.RELEASES])
def release(session: nox.Session, release: environments.Release) -> None:
    """Install this project with one release of nilearn and nibabel."""
    if release.is_ready():
        return
    wanted = ["--editable", str(PROJECT), *release.requirements]
    if release.is_newest:
        wanted += ["--upgrade", "--upgrade-strategy", "eager"]
    else:
        constraints = Path(session.create_tmp()) / "constraints.txt"
        constraints.write_text("\n".join(environments.shared()))
        wanted += ["--constraint", str(constraints)]
    session.install("--quiet", "--disable-pip-version-check", *wanted)
    release.write_mark(Path(session.bin) / "python")

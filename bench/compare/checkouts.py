"""Folders of the sides, and the environment that their processes run in."""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from ..processes import ROOT


def check_out(name, stack):
    """The folder that is meant: itself, or a temporary one with a revision.

    Parameters
    ----------
    name : str
        A folder with a checkout, or a revision of this repository.
    stack : contextlib.ExitStack
        Removes the temporary folder.
    """
    if Path(name, "softreg_fast").is_dir():
        return Path(name).resolve()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    archive = subprocess.run(["git", "archive", name], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        sys.exit(f"{name} is neither a folder with softreg_fast nor a revision")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def environment(cache):
    """Variables of a side's processes.

    Parameters
    ----------
    cache : path
        Folder for compiled kernels and for bytecode.
    """
    return {
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONPYCACHEPREFIX": str(Path(cache) / "bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",
    }


@contextmanager
def busy_neighbours(n_processes):
    """Processes that keep CPUs busy meanwhile."""
    parent = os.getpid()
    # A neighbour ends by itself if this process is killed.
    code = f"import os\nwhile os.getppid() == {parent}:\n    sum(range(10**6))"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(n_processes)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()

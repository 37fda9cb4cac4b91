"""Folders of the sides, and the environment that their processes run in."""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from ..processes import ROOT

_UP_TO_AVX = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+avx"
# Names for Numba of a CPU and of its features.
INSTRUCTION_SETS = {
    "avx2": ("haswell", f"{_UP_TO_AVX},+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe"),
    "avx": ("ivybridge", _UP_TO_AVX),
    "sse": ("nehalem", _UP_TO_AVX.removesuffix(",+avx")),
}


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


def environment(cache, instruction_set=None):
    """Variables of a side's processes.

    Parameters
    ----------
    cache : path
        Folder for compiled kernels and for bytecode.
    instruction_set : {"avx2", "avx", "sse"}, default=None
        Kernels are compiled for a CPU with no wider vectors; None is this CPU.
    """
    return {
        "NUMBA_CACHE_DIR": str(cache),
        "PYTHONPYCACHEPREFIX": str(Path(cache) / "bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",
        **variables_of(instruction_set),
    }


def variables_of(instruction_set):
    """Variables for kernels without wider vectors than those of a set; see `environment`."""
    if instruction_set is None:
        return {}
    cpu, features = INSTRUCTION_SETS[instruction_set]
    return {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features}


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

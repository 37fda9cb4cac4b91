"""Kernels compiled ahead of time into the package, for levels of processors.

A wheel or an image that holds them needs no compilation at the first fit. They lie in a folder for
each level, beside a description of what they depend on. Where any of that is different, they are
not taken, and kernels are compiled as ever.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from joblib import cpu_count

from ..data.arrays import check_dtype
from ..data.checks import check_choice
from ..kernels.compile import cache_folders
from ..kernels.compile.cache_folders import built_root
from ..kernels.compile.cpu_levels import LEVELS, features_of, missing_features
from ..kernels.compile.disk_cache import dependencies
from ..kernels.simd.cpu import filled_target

NATIVE = "native"
CHOICES = (NATIVE, *LEVELS)
_DESCRIPTION = "description.json"
_COMPILE = (
    "import sys\n"
    "from softreg_fast.runtime.built_kernels import compile_into\n"
    "compile_into(sys.argv[1], sys.argv[2])"
)


class BuildError(RuntimeError):
    """A process that compiles has failed; the message is what it has said."""


def compile_into(folder: str, dtype: str) -> None:
    """Compile everything for dense features of a dtype, and describe it; in a process of its own.

    Parameters
    ----------
    folder : str
        Nothing is read from elsewhere or written elsewhere.
    dtype : {"float64", "float32"}
    """
    from .warm_up import warm_up

    cache_folders.keep_in(Path(folder))
    warm_up([dtype])
    description = {**filled_target()._asdict(), "dtypes": [dtype], "needs": dependencies()}
    Path(folder, _DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")


def _variables(level: str) -> dict[str, str]:
    """What a process compiles for a level with."""
    variables = {name: text for name, text in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
    variables["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    if level != NATIVE:
        variables |= {"NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": features_of(level)}
    return variables


def _compile(job: tuple[str, str], root: Path) -> Path:
    """The folder of what a process has compiled for a level and a dtype."""
    level, dtype = job
    folder = root / f"{level}-{dtype}"
    folder.mkdir()
    process = subprocess.run(
        [sys.executable, "-c", _COMPILE, str(folder), dtype],
        env=_variables(level), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if process.returncode:
        raise BuildError(
            f"compiling for {level}, {dtype}, ended with status {process.returncode}: "
            f"{process.stderr.strip()}"
        )
    return folder


def _join(folders: list[Path]) -> Path:
    """Put what was compiled for a level's dtypes into the first of the folders."""
    first = folders[0]
    descriptions = [json.loads((each / _DESCRIPTION).read_text("utf-8")) for each in folders]
    for folder in folders[1:]:
        for file in folder.iterdir():
            file.replace(first / file.name)
    dtypes = [dtype for each in descriptions for dtype in each["dtypes"]]
    text = json.dumps({**descriptions[0], "dtypes": dtypes}, indent=1)
    (first / _DESCRIPTION).write_text(f"{text}\n", encoding="utf-8")
    return first


def build_kernels(levels: Iterable[str], dtypes: Iterable[str]) -> list[Path]:
    """Compile kernels for dense features into the package.

    Parameters
    ----------
    levels : iterable of {"native", "x86-64-v3", "x86-64-v4"}
        "native" is this machine. What was built for a level before is replaced.
    dtypes : iterable of {"float64", "float32"}
        Of features and models.

    Returns
    -------
    list of Path
        Where they are, a folder for each level.

    Raises
    ------
    ValueError
        A level or a dtype is not allowed, or the machine is no x86-64 one and has no levels.
    BuildError
        A process has failed; nothing is changed then.
    OSError
        The package's folder can't be written.
    """
    choices = CHOICES if filled_target().triple.startswith("x86_64") else (NATIVE,)
    levels = list(dict.fromkeys(check_choice("levels", level, choices) for level in levels))
    dtypes = list(dict.fromkeys(check_dtype("dtypes", dtype).name for dtype in dtypes))
    jobs = [(level, dtype) for level in levels for dtype in dtypes]
    root = built_root()
    root.mkdir(exist_ok=True)
    built = []
    with tempfile.TemporaryDirectory(dir=root) as temporary:
        with ThreadPoolExecutor(min(cpu_count(), len(jobs))) as pool:
            done = list(pool.map(partial(_compile, root=Path(temporary)), jobs))
        for place in range(0, len(jobs), len(dtypes)):
            made = _join(done[place : place + len(dtypes)])
            cpu = json.loads((made / _DESCRIPTION).read_text("utf-8"))["cpu"]
            if (root / cpu).exists():
                shutil.rmtree(root / cpu)
            made.rename(root / cpu)
            built.append(root / cpu)
    return built


def _reasons_against(description: dict[str, Any]) -> Iterator[str]:
    """Why what is built is not taken by this process."""
    here = dependencies()
    for name, needed in description["needs"].items():
        if needed != here.get(name):
            if name == "sources":
                yield "the kernels' sources have changed since"
            else:
                yield f"it was built with {name} {needed}, and this is {name} {here.get(name)}"
    own = filled_target()
    level, triple, features = (description[name] for name in ("cpu", "triple", "features"))
    if triple != own.triple:
        yield f"it was built for {triple}, and this is {own.triple}"
    elif level in LEVELS:
        missing = missing_features(level, own)
        if missing:
            yield f"the CPU has no {', '.join(missing)}"
    elif (level, features) != (own.cpu, own.features):
        yield f"the CPU is not a {level} with the same features"


def check_built_kernels() -> dict[str, tuple[str, list[str]]]:
    """What is built, and whether this process takes it.

    Returns
    -------
    dict
        By CPU or level: a summary of what is there, and why it is not taken; no reasons if it is.
    """
    found = {}
    for file in sorted(built_root().glob(f"*/{_DESCRIPTION}")):
        description = json.loads(file.read_text("utf-8"))
        sizes = [each.stat().st_size for each in file.parent.glob("*.machine_code")]
        summary = (
            f"{', '.join(description['dtypes'])}; {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB"
        )
        found[file.parent.name] = summary, list(_reasons_against(description))
    return found

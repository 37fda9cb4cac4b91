"""What an installation runs on, and what is wrong with it."""

import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from .._extras import install_command

GOOD, NOTE, BAD = "good", "note", "bad"
_LEAST = {"numpy": (2, 0), "scikit-learn": (1, 7), "numba": (0, 62)}
_EXTRAS = {
    "arrow": ("pyarrow",),
    "cli": ("pyarrow", "rich"),
    "plot": ("matplotlib",),
    "onnx": ("skl2onnx",),
    "dask": ("dask", "distributed"),
}


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes
    ----------
    name : str
        Of what was looked at.
    state : {"good", "note", "bad"}
    text : str
    remedy : str, default=""
    """

    name: str
    state: str
    text: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything, whatever fails."""
    found = []
    for name, look in _LOOKS.items():
        try:
            found += list(look())
        except Exception as error:  # whatever it is, users should see it beside the rest
            text = " ".join(f"{type(error).__name__}: {error}".split())
            found.append(Finding(name, BAD, text, "reinstall: pip install -U softreg-fast"))
    return found


def _look_at_versions() -> Iterator[Finding]:
    from .. import __version__

    yield Finding("softreg-fast", GOOD, f"{__version__}, in {Path(__file__).parents[1]}")
    yield Finding("Python", GOOD, f"{platform.python_version()}, {sys.executable}")
    for package in ("numpy", "numba", "llvmlite", "scikit-learn", "scipy"):
        try:
            text = version(package)
        except PackageNotFoundError:
            yield Finding(package, BAD, "is not installed", f"pip install {package}")
            continue
        least = _LEAST.get(package)
        numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
        if least is not None and numbers < least:
            wanted = ".".join(map(str, least))
            remedy = f'pip install "{package}>={wanted}"'
            yield Finding(package, BAD, f"{text}, older than {wanted}", remedy)
        else:
            yield Finding(package, GOOD, text)


def _look_at_cpu() -> Iterator[Finding]:
    from ..kernels.simd.cpu import filled_target, vector_bits

    target = filled_target()
    yield Finding("CPU", GOOD, f"{target.cpu}, {target.triple}, vectors of {vector_bits()} bits")


def _look_at_threads() -> Iterator[Finding]:
    from ..runtime.threads import count_threads

    n_cpus, n_usable, n_threads = os.cpu_count() or 1, count_threads(1 << 20, 1 << 20), 0
    n_threads = count_threads(None, 1 << 20)
    limits = []
    if n_usable < n_cpus:
        limits.append(f"the process may use {n_usable} of {n_cpus} CPUs (affinity or container)")
    if n_threads < n_usable:
        value = os.environ.get("OMP_NUM_THREADS")
        limits.append(
            "a limit of OpenMP" if value is None else f"OMP_NUM_THREADS={value} in the environment"
        )
    text = f"{n_threads}, limited by {' and '.join(limits)}" if limits else f"{n_threads}"
    yield Finding("threads", NOTE if limits else GOOD, text)


def _look_at_folders() -> Iterator[Finding]:
    from ..kernels.compile.cache_folders import cache_folders, writable_folders
    from ..runtime.built_kernels import check_built_kernels

    built = check_built_kernels()
    used = [name for name, (_, reasons) in built.items() if not reasons]
    folders = writable_folders()
    name = "compiled code"
    if folders:
        text = f"kept in {folders[0].path}"
        if folders[0] in cache_folders():
            yield Finding(name, GOOD, text)
        else:
            yield Finding(
                name, NOTE, f"{text}, which may be emptied",
                "name a lasting folder by NUMBA_CACHE_DIR",
            )  # fmt: skip
    else:
        yield Finding(
            name, NOTE if used else BAD, "can't be kept: no folder can be written",
            "name one that can be by NUMBA_CACHE_DIR, or each process compiles anew",
        )  # fmt: skip
    for level, (summary, reasons) in built.items():
        state = NOTE if reasons else GOOD
        text = f"{level}: {summary}; {'; '.join(reasons) if reasons else 'used here'}"
        yield Finding("built kernels", state, text)
    if not built:
        yield Finding("built kernels", GOOD, "none in the package; kernels are compiled when used")


def _look_at_extras() -> Iterator[Finding]:
    for extra, packages in _EXTRAS.items():
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            text = f"not there, for want of {' and '.join(missing)}"
            yield Finding(f"extra {extra}", NOTE, text, install_command(extra))
            continue
        text = ", ".join(f"{package} {version(package)}" for package in packages)
        yield Finding(f"extra {extra}", GOOD, text)


def _look_at_a_fit() -> Iterator[Finding]:
    import numpy as np

    from ..estimators.classifier import SoftmaxClassifier

    features = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 2.0], [5.0, 1.0]])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = SoftmaxClassifier().fit(features, np.array([0, 0, 1, 1, 2, 2]))
    for each in caught:
        state = BAD if issubclass(each.category, RuntimeWarning | UserWarning) else NOTE
        yield Finding("tiny fit", state, " ".join(str(each.message).split()))
    sums = model.predict_proba(features).sum(axis=1)
    if not (model.converged_ and np.allclose(sums, 1.0) and 0.0 <= model.gap_ < 1e-3):
        remedy = "please report it, with the output of softreg-fast doctor --json"
        yield Finding("tiny fit", BAD, "the model is not at its optimum", remedy)
    else:
        yield Finding("tiny fit", GOOD, f"at the optimum, gap {model.gap_:.1g}")


_LOOKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "versions": _look_at_versions,
    "CPU": _look_at_cpu,
    "threads": _look_at_threads,
    "compiled code": _look_at_folders,
    "extras": _look_at_extras,
    "tiny fit": _look_at_a_fit,
}

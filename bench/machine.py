"""What a figure was measured on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib
import llvmlite.binding

PACKAGES = [
    "numpy", "scipy", "numba", "llvmlite", "scikit-learn", "scikit-learn-intelex", "cyanure",
    "liblinear-official", "snapml", "celer", "skglm", "glum", "torch", "jax",
]  # fmt: skip
# From the widest to the narrowest, and the bits of a vector.
INSTRUCTION_SETS = {"avx512f": 512, "avx2": 256, "avx": 256, "sse2": 128, "neon": 128}


def _processor():
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        for line in cpu_info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def instruction_set():
    """The widest vector instructions that kernels are compiled for."""
    named = os.environ.get("NUMBA_CPU_FEATURES")
    if named is None:
        host = llvmlite.binding.get_host_cpu_features()
        features = {name for name, is_there in host.items() if is_there}
    else:
        features = {name[1:] for name in named.split(",") if name.startswith("+")}
    return next((name for name in INSTRUCTION_SETS if name in features), "sse2")


def describe_machine():
    """Processor, cores, width of vectors and system, as a record keeps them."""
    name = instruction_set()
    return {
        "processor": _processor(),
        "n_cores": joblib.cpu_count(),
        "instruction_set": name,
        "vector_bits": INSTRUCTION_SETS[name],
        "system": platform.system(),
    }


def describe_versions():
    """Versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def summarise(machine, versions):
    """One line of both."""
    return (
        f"{machine['processor']}, {machine['n_cores']} cores, {machine['vector_bits']}-bit vectors "
        f"({machine['instruction_set']}), "
        + ", ".join(f"{package} {number}" for package, number in versions.items())
    )


def describe():
    """One line of this machine."""
    return summarise(describe_machine(), describe_versions())

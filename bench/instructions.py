"""Narrower vectors than this CPU has, for the kernels and for the libraries beside them."""

import os
import sys

_UP_TO_AVX = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+avx"
# Names for Numba of a CPU and of its features; then variables of OpenBLAS, MKL, oneDNN, PyTorch
# and XLA.
_SETS = {
    "avx2": (
        "haswell",
        f"{_UP_TO_AVX},+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe",
        ("Haswell", "AVX2", "AVX2", "avx2", "AVX2"),
    ),
    "avx": ("ivybridge", _UP_TO_AVX, ("Sandybridge", "AVX", "AVX", "default", "AVX")),
    "sse": (
        "nehalem",
        _UP_TO_AVX.removesuffix(",+avx"),
        ("Nehalem", "SSE4_2", "SSE41", "default", "SSE4_2"),
    ),
}
NAMES = tuple(_SETS)
_MARK = "SOFTREG_FAST_BENCH_ISA"


def add_option(parser):
    """Add the option of the command line."""
    parser.add_argument(
        "--isa", choices=NAMES, help="narrower vectors, for the kernels and for other libraries"
    )


def _variables_of(name):
    """Variables for a process without wider vectors than those of a set.

    Parameters
    ----------
    name : {"avx2", "avx", "sse"}
    """
    cpu, features, (openblas, mkl, onednn, torch, xla) = _SETS[name]
    return {
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": features,
        "OPENBLAS_CORETYPE": openblas,
        "MKL_ENABLE_INSTRUCTIONS": mkl,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "ATEN_CPU_CAPABILITY": torch,
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_max_isa={xla}".strip(),
    }


def run_with(name):
    """Run this process anew without wider vectors than those of a set, if there is one.

    Libraries read the variables that say so as they are imported.
    """
    if name is None or os.environ.get(_MARK) == name:
        return
    sys.stdout.flush()
    arguments = [sys.executable, "-m", "bench", *sys.argv[1:]]
    os.execve(sys.executable, arguments, {**os.environ, **_variables_of(name), _MARK: name})

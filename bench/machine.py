"""What a figure was measured on."""

import platform
from pathlib import Path

import joblib
import numba
import numpy as np

from softreg_fast.kernels.simd.cpu import vector_bits


def describe():
    """One line: processor, cores, width of vectors, versions."""
    cpu_info = Path("/proc/cpuinfo")
    model = platform.processor() or platform.machine()
    if cpu_info.exists():
        names = [
            line for line in cpu_info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0].split(":", 1)[1].strip() if names else model
    return (
        f"{model}, {joblib.cpu_count()} cores, {vector_bits()}-bit vectors, "
        f"Python {platform.python_version()}, NumPy {np.__version__}, Numba {numba.__version__}"
    )

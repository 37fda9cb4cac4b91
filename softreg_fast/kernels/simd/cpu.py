"""The SIMD vectors and registers of the CPU that kernels are compiled for."""

from functools import cache

from ..compile.numba_adapter import Target, target
from ..compile.uninterrupted import fill_contexts

# In bytes.
CACHE_LINE = 64


def filled_target() -> Target:
    """What kernels are compiled for."""
    fill_contexts()
    return target()


def _cpu_features() -> list[str]:
    return filled_target().features.split(",")


@cache
def vector_bits() -> int:
    """Width in bits of the widest SIMD vectors that kernels are compiled to."""
    features = _cpu_features()
    if "+avx512f" in features:
        return 512
    return 256 if "+avx" in features or "+avx2" in features else 128


@cache
def vector_registers() -> int:
    """How many SIMD registers there are."""
    is_arm = filled_target().triple.startswith(("aarch64", "arm64"))
    has_many = is_arm or "+avx512vl" in _cpu_features()
    return 32 if has_many else 16

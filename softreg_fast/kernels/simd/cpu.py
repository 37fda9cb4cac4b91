"""The SIMD vectors and registers of the CPU that kernels are compiled for."""

from functools import cache

from numba.core.registry import cpu_target

from ..compile.uninterrupted import fill_contexts


def _cpu_features() -> list[str]:
    fill_contexts()
    features: str = cpu_target.target_context.codegen().magic_tuple()[2]
    return features.split(",")


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
    target = cpu_target.target_context.codegen().magic_tuple()[0]
    has_many = "+avx512vl" in _cpu_features() or target.startswith(("aarch64", "arm64"))
    return 32 if has_many else 16

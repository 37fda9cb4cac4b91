"""SIMD vectors for kernels."""

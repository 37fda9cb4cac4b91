"""The sides of benchmarks: this package, plain NumPy and other libraries."""

"""How kernels are compiled and kept on disk: the only place that uses Numba's internals."""

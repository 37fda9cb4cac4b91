"""How kernels are compiled and kept on disk, with Numba's internals or without them."""

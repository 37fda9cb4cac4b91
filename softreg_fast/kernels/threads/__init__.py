"""How the threads of a kernel share its work."""

# Of a set of CPUs with a bit for each, as many as the GNU C library's `cpu_set_t` has.
N_CPU_WORDS = 16

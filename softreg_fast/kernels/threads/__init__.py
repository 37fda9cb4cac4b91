"""How the threads of a kernel wait for each other."""

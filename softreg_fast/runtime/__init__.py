"""How work runs on this machine: threads, arrays for kernels, compilation ahead of use."""

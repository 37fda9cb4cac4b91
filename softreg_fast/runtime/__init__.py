"""How work runs on this machine: threads, arrays for kernels, compilation ahead of use."""

from .compile_notice import announce_compilation

announce_compilation()

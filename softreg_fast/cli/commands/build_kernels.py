"""``softreg-fast build-kernels``."""

import argparse

from .warm_up import add_dtypes

NAME = "build-kernels"
HELP = "compile everything into the package, for a wheel or an image"
_DESCRIPTION = """
Compile everything that models of some dtypes need into the package's folder. A wheel that is made
of it, or an image, then needs no compilation on CPUs of these levels, where Numba, llvmlite, NumPy
and Python are the same. Takes some minutes for each level and dtype.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "--levels",
        nargs="+",
        default=["native"],
        metavar="LEVEL",
        help="levels of CPUs: native, which is this one, x86-64-v3 or x86-64-v4 (default: native)",
    )
    add_dtypes(parser)
    parser.add_argument(
        "--check",
        action="store_true",
        help="build nothing; say what is built, and why it is not used here; "
        "the status is 1 if nothing is used",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ...runtime.built_kernels import BuildError, build_kernels, check_built_kernels
    from ..errors import UserError

    if not options.check:
        try:
            build_kernels(options.levels, options.dtypes)
        except BuildError as error:
            raise UserError(str(error)) from error
    found = check_built_kernels()
    for name, (summary, reasons) in found.items():
        print(f"{name}: {summary}; {'; '.join(reasons) if reasons else 'used here'}")
    if not found:
        print("nothing is built")
    is_used = any(not reasons for _, reasons in found.values())
    return 0 if is_used or not options.check else 1

"""``softreg-fast warm-up``."""

import argparse

NAME = "warm-up"
HELP = "compile everything now and keep it on disk"
_DESCRIPTION = """
Compile everything that models of some dtypes need and keep it on disk, so that no later process has
to. Takes some minutes for each dtype.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    add_dtypes(parser)


def add_dtypes(parser: argparse.ArgumentParser) -> None:
    """Add the dtypes of features."""
    parser.add_argument(
        "--dtypes",
        nargs="+",
        choices=["float64", "float32"],
        default=["float64"],
        help="default: float64",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ...kernels.compile.cache_folders import writable_folders
    from ...runtime.warm_up import warm_up

    seconds = warm_up(options.dtypes, verbose=True)
    folders = writable_folders()
    where = str(folders[0].path) if folders else "nowhere, since no folder can be written"
    print(f"{' and '.join(options.dtypes)} ready after {seconds:.1f} s; kept in: {where}")
    return 0

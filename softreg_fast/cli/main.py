"""The command ``softreg-fast``."""

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..kernels.compile.cache_folders import writable_folders
from ..runtime.built_kernels import (
    CHOICES,
    NATIVE,
    BuildError,
    build_kernels,
    check_built_kernels,
)
from ..runtime.warm_up import warm_up
from .csv_table import Table, iris_table, read_table
from .demo import Demonstration, demonstrate


def _add_dtypes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dtypes",
        nargs="+",
        choices=["float64", "float32"],
        default=["float64"],
        help="default: float64",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="softreg-fast", description="Softmax regression on compiled kernels."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="train on iris, or on a table of yours, and compare the kernels with plain NumPy",
        description="Shuffle, scale, train and predict as the notebook does, then compare the "
        "compiled kernels with plain NumPy and the notebook's gradient with the exact one.",
    )
    demo.add_argument(
        "--data", metavar="FILE.csv", help="a table with a header line (default: iris)"
    )
    demo.add_argument("--target", metavar="COLUMN", help="with --data: the column to predict")
    demo.add_argument("--seed", type=int, default=0, help="of shuffling and start (default: 0)")
    demo.add_argument("--epochs", type=int, default=1000, help="default: 1000")
    demo.add_argument("--lr", type=float, default=0.5, help="learning rate (default: 0.5)")
    demo.add_argument("--batch-size", type=int, help="default: all rows")
    demo.add_argument(
        "--early-stopping",
        type=int,
        default=10,
        help="stop when the lowest loss is more than so many epochs back; 0: never (default: 10)",
    )
    demo.add_argument("--quiet", action="store_true", help="no line for each epoch")
    demo.set_defaults(parser=demo, run=_run_demo)
    warming = commands.add_parser(
        "warm-up",
        help="compile everything now and keep it on disk",
        description="Compile everything that models of some dtypes need and keep it on disk, so "
        "that no later process has to. Takes some minutes for each dtype.",
    )
    _add_dtypes(warming)
    warming.set_defaults(parser=warming, run=_run_warm_up)
    building = commands.add_parser(
        "build-kernels",
        help="compile everything into the package, for a wheel or an image",
        description="Compile everything that models of some dtypes need into the package's folder. "
        "A wheel that is made of it, or an image, then needs no compilation on CPUs of these "
        "levels, where Numba, llvmlite, NumPy and Python are the same. Takes some minutes for each "
        "level and dtype.",
    )
    building.add_argument(
        "--levels",
        nargs="+",
        choices=CHOICES,
        default=[NATIVE],
        help="levels of CPUs; native is this one (default: native)",
    )
    _add_dtypes(building)
    building.add_argument(
        "--check",
        action="store_true",
        help="build nothing; say what is built, and why it is not used here; "
        "the status is 1 if nothing is used",
    )
    building.set_defaults(parser=building, run=_run_build_kernels)
    return parser


def _load(options: argparse.Namespace) -> Table:
    if (options.data is None) != (options.target is None):
        raise ValueError("--data FILE.csv and --target COLUMN must be given together")
    return iris_table() if options.data is None else read_table(options.data, options.target)


def _run_demo(options: argparse.Namespace) -> None:
    try:
        table = _load(options)
    except OSError as error:
        options.parser.error(str(error))
    all_rows = len(table.features)
    demonstrate(
        Demonstration(
            table=table,
            seed=options.seed,
            learning_rate=options.lr,
            n_epochs=options.epochs,
            batch_size=all_rows if options.batch_size is None else options.batch_size,
            early_stopping=options.early_stopping,
            verbose=not options.quiet,
        )
    )


def _run_warm_up(options: argparse.Namespace) -> None:
    seconds = warm_up(options.dtypes, verbose=True)
    folders = writable_folders()
    where = str(folders[0].path) if folders else "nowhere, since no folder can be written"
    print(f"{' and '.join(options.dtypes)} ready after {seconds:.1f} s; kept in: {where}")


def _run_build_kernels(options: argparse.Namespace) -> int:
    if not options.check:
        try:
            build_kernels(options.levels, options.dtypes)
        except OSError as error:
            options.parser.error(str(error))
    found = check_built_kernels()
    for name, (summary, reasons) in found.items():
        print(f"{name}: {summary}; {'; '.join(reasons) if reasons else 'used here'}")
    if not found:
        print("nothing is built")
    is_used = any(not reasons for _, reasons in found.values())
    return 0 if is_used or not options.check else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        None is the arguments of the process.

    Returns
    -------
    int
        The exit status. Wrong arguments and unusable data leave by `SystemExit` with status 2
        and a message on standard error.
    """
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (TypeError, ValueError, FloatingPointError, BuildError) as error:
        options.parser.error(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return int(status)

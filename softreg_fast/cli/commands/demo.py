"""``softreg-fast demo``."""

import argparse

NAME = "demo"
HELP = "train on iris, or on a table of yours, and compare the kernels with plain NumPy"
_DESCRIPTION = """
Shuffle, scale, train and predict as the notebook does, then compare the compiled kernels with plain
NumPy and the notebook's gradient with the exact one.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "--data", metavar="FILE.csv", help="a table with a header line (default: iris)"
    )
    parser.add_argument("--target", metavar="COLUMN", help="with --data: the column to predict")
    parser.add_argument("--encoding", help="with --data: of the file (default: UTF-8)")
    parser.add_argument("--seed", type=int, default=0, help="of shuffling and start (default: 0)")
    parser.add_argument("--epochs", type=int, default=1000, help="default: 1000")
    parser.add_argument("--lr", type=float, default=0.5, help="learning rate (default: 0.5)")
    parser.add_argument("--batch-size", type=int, help="default: all rows")
    parser.add_argument(
        "--early-stopping",
        type=int,
        default=10,
        help="stop when the lowest loss is more than so many epochs back; 0: never (default: 10)",
    )
    parser.add_argument("--quiet", action="store_true", help="no line for each epoch")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ...data.checks import check_integer, check_number

    # Before anything is read or compiled.
    check_integer("seed", options.seed, minimum=0, maximum=2**32 - 1)
    check_number("lr", options.lr, above=0.0)
    check_integer("epochs", options.epochs, minimum=1)
    check_integer("early_stopping", options.early_stopping, minimum=0)
    if options.batch_size is not None:
        check_integer("batch_size", options.batch_size, minimum=1)
    if (options.data is None) != (options.target is None):
        raise ValueError("--data FILE.csv and --target COLUMN must be given together")
    from ..csv_table import iris_table, read_table

    if options.data is None:
        table = iris_table()
    else:
        table = read_table(options.data, options.target, options.encoding)
    from ..demo import Demonstration, demonstrate

    all_rows = len(table.features)
    if options.batch_size is not None:
        check_integer("batch_size", options.batch_size, minimum=1, maximum=all_rows)
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
    return 0

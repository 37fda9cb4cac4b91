"""``softreg-fast evaluate``."""

import argparse

from ..parsing import add_data, add_json

NAME = "evaluate"
HELP = "score a model on a table"
_DESCRIPTION = """
Score a model of "softreg-fast train" on a table that has the target too, and compare it with always
giving the classes' shares of the training data. The rows should be others than those of the
training.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.usage = "%(prog)s MODEL DATA [options]"
    parser.add_argument("model", metavar="MODEL", help='of "softreg-fast train"')
    add_data(parser)
    parser.add_argument(
        "--plot", metavar="FILE.png", help="a picture of the confusion matrix and the calibration"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..console import Console, need_extra

    need_extra("softreg-fast evaluate", "cli", "pyarrow", "rich")
    if options.plot is not None:
        need_extra("--plot", "plot", "matplotlib")
    from pathlib import Path

    from ..applying import Application
    from ..evaluating import run_evaluation
    from ..model_files import load_model
    from ..outputs import check_output
    from ..tables.files import ReadingOptions, check_file

    plot = None
    if options.plot is not None:
        plot = check_output("--plot", options.plot, (options.data, options.model))
    check_file(Path(options.data))
    model, table, training = load_model(Path(options.model))
    reading = ReadingOptions(options.encoding, options.delimiter, options.decimal)
    others = () if table.n_sparse is not None else (table.target,)
    application = Application(
        Path(options.data), model, table.with_missing(options.na), reading, others
    )
    run_evaluation(application, training, plot, Console(is_json=options.json))
    return 0

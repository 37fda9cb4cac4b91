"""``softreg-fast train``."""

import argparse

from ..parsing import (
    add_columns,
    add_data,
    add_json,
    folds,
    positive_integer,
    seed,
    share,
    strength,
)

NAME = "train"
HELP = "learn a model from a table"
_DESCRIPTION = """
Learn to predict a column of a table from the others. Texts and booleans become categories; missing
numbers become the median, and missing categories a category. Columns of dates, indexes,
identifiers, constants and free text are left out, and named. A tenth of the rows is held out to
say how good the model is; the model that is kept has learned from all rows.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.usage = "%(prog)s DATA --target COLUMN -o MODEL [options]"
    add_data(parser)
    parser.add_argument("--target", metavar="COLUMN", help="to predict (svmlight files have none)")
    parser.add_argument("-o", "--output", required=True, metavar="MODEL", help="file to write")
    columns = parser.add_argument_group("columns")
    add_columns(columns, "--drop", "no features")
    add_columns(columns, "--keep", "features, though they would be left out")
    add_columns(columns, "--categorical", "categories, though they are numbers")
    add_columns(columns, "--id", "identify rows; no features")
    columns.add_argument("--weight", metavar="COLUMN", help="how much each row counts")
    learning = parser.add_argument_group("learning")
    learning.add_argument(
        "--C",
        type=strength,
        default=1.0,
        metavar="NUMBER",
        help="inverse of the regularization strength; inf is none, and gives standard errors for "
        "explain; auto is the best of ten by cross-validation (default: 1)",
    )
    learning.add_argument(
        "--l1-ratio", type=float, default=0.0, metavar="SHARE",
        help="0 is an L2 penalty, 1 an L1 penalty, which makes coefficients zero (default: 0)",
    )  # fmt: skip
    learning.add_argument(
        "--standardize",
        action="store_true",
        help="have the penalty treat numbers alike, whatever their units: it is that of numbers of "
        "standard deviation 1",
    )
    learning.add_argument(
        "--solver", default="auto", choices=["auto", "newton", "lbfgs", "sgd"],
        help="default: auto",
    )  # fmt: skip
    learning.add_argument(
        "--epochs", type=positive_integer, metavar="N", help="at most so many iterations or epochs"
    )
    learning.add_argument("--threads", type=positive_integer, metavar="N", help="default: all CPUs")
    learning.add_argument(
        "--in-blocks", action="store_true",
        help="read the rows in blocks, as is done anyway if they take too much memory",
    )  # fmt: skip
    scoring = parser.add_argument_group("how good it is")
    scoring.add_argument(
        "--validation", type=share, default=0.1, metavar="SHARE",
        help="of the rows of each class, held out to score; 0 is none (default: 0.1)",
    )  # fmt: skip
    scoring.add_argument(
        "--cv", type=folds, metavar="K", help="score by cross-validation of K folds instead"
    )
    scoring.add_argument(
        "--calibrate", action="store_true",
        help="divide logits by a temperature for the best probabilities of held-out rows",
    )  # fmt: skip
    scoring.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="of what is random (default: 0)"
    )
    results = parser.add_argument_group("results")
    results.add_argument("--plot", metavar="FILE.png", help="a picture of the scores and the model")
    results.add_argument("--report", metavar="FILE.html", help="all results as a page")
    add_json(results)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pathlib import Path

    from ..console import Console, need_extra

    console = Console(is_json=options.json)
    need_extra("softreg-fast train", "cli", "pyarrow", "rich")
    if options.plot is not None:
        need_extra("--plot", "plot", "matplotlib")
    from ..errors import UserError
    from ..outputs import check_output
    from ..preparing import Training
    from ..tables.files import ReadingOptions, check_file, is_svmlight
    from ..training_results import run_training

    data = Path(options.data)
    output = check_output("-o", options.output, (options.data,))
    plot, report = (
        None if path is None else check_output(f"--{name}", path, (options.data,), others)
        for name, path, others in (
            ("plot", options.plot, (options.output,)),
            ("report", options.report, (options.output, options.plot)),
        )
    )
    if options.target is None and not is_svmlight(data):
        raise UserError("--target COLUMN is needed: the name of the column to predict")
    if options.target is not None and is_svmlight(data):
        raise UserError(f"--target is not allowed with {data}, which has labels of its own")
    training = Training(
        data=data,
        target=options.target,
        reading=ReadingOptions(options.encoding, options.delimiter, options.decimal),
        missing=tuple(options.na),
        weight=options.weight,
        identifiers=tuple(options.id),
        dropped=tuple(options.drop),
        kept=tuple(options.keep),
        categorical=tuple(options.categorical),
        C=options.C,
        parameters={
            "l1_ratio": options.l1_ratio,
            "solver": options.solver,
            "max_iter": options.epochs,
            "n_threads": options.threads,
        },
        validation=options.validation,
        n_folds=options.cv,
        calibrates=options.calibrate,
        standardizes=options.standardize,
        seed=options.seed,
        in_blocks=True if options.in_blocks else None,
    )
    training.check()
    check_file(data)
    run_training(training, output, plot, report, console)
    return 0

"""Time to a gap: the loosest tolerance that gets there is found first, then timed."""

from dataclasses import asdict, dataclass, field

import numpy as np

from .timing import take_turns, timed

WANTED_GAP = 1e-6
FEW_ROWS = 200


@dataclass
class Course:
    """What a side has shown on the way.

    Attributes
    ----------
    wanted : float
        The gap.
    tolerances, seconds, gaps : list of float
        Of each fit.
    """

    wanted: float
    tolerances: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    gaps: list = field(default_factory=list)

    @property
    def is_there(self):
        """Whether the last fit is near enough."""
        return self.gaps[-1] <= self.wanted


def _climb(side, lowest, tolerances, patience, wanted):
    course = Course(wanted)
    for side.tolerance in tolerances:
        seconds, _ = timed(side.run)
        course.tolerances.append(side.tolerance)
        course.seconds.append(seconds)
        course.gaps.append(side.gap(lowest))
        if course.is_there or seconds > patience:
            break
    return course


def _warm_up(side, n_classes):
    """Import and compile, on a few rows with all classes."""
    X, y = side.X, side.y
    side.X = X[:FEW_ROWS]
    side.y = np.arange(side.X.shape[0]) % n_classes
    side.tolerance = 0.1
    side.run()
    side.X, side.y = X, y


def measure_to_gap(record, name, case, sides, lowest, tolerances, options, wanted=WANTED_GAP):
    """Time of each side to within a gap of the lowest objective, relatively.

    Parameters
    ----------
    record : Record
    name : str
        Of the case in the record.
    case : Case
    sides : list of Side
        Prepared; with `tolerance` and `gap`.
    lowest : float or ndarray
        Lowest known objectives.
    tolerances : list of float
        From the loosest on.
    options : argparse.Namespace
        `repeats`, and `patience`: a side is given up after a longer fit that is not there.
    wanted : float, default=1e-6
        The gap.

    Returns
    -------
    dict of str to Course
    """
    for side in sides:
        _warm_up(side, case.n_classes)
    courses = {
        side.name: _climb(side, lowest, tolerances, options.patience, wanted) for side in sides
    }
    there = [side for side in sides if courses[side.name].is_there]
    turns = take_turns(
        {side.name: side.run for side in there}, options.repeats, n_warm=0,
        goes_on=lambda side, _: courses[side].seconds[-1] <= options.patience / 5,
    )  # fmt: skip
    for side in sides:
        course = courses[side.name]
        record.add(name, side.name, "gap", course.gaps[-1])
        if side in there:
            seconds = turns[side.name].seconds
            record.add(name, side.name, "seconds_to_gap", seconds, **asdict(course))
        else:
            print(
                f"  {side.name} was given up at a gap of {course.gaps[-1]:.1e} "
                f"after {course.seconds[-1]:.1f} s"
            )
            record.add(name, side.name, "seconds_to_gap", float("nan"), **asdict(course))
    return courses


def check_sides(record, name, sides, courses, lowest, options):
    """Check that no side is below the lowest objective, and that ours has got where it should.

    But the first side, those that were given up for their time needn't.

    Parameters
    ----------
    record, name, sides, lowest, options
        As in `measure_to_gap`.
    courses : dict of str to Course
    """
    for side in sides:
        below = 1.0 - side.objective() / lowest
        record.check(name, side.name, "objective below the lowest, relative", below, 1e-9)
        course = courses[side.name]
        was_given_up = not course.is_there and course.seconds[-1] > options.patience
        if side is sides[0] or (side.is_ours and not was_given_up):
            record.check(name, side.name, "gap reached", course.gaps[-1], course.wanted)


def measure_case(record, name, case, sides, best, tolerances, options, wanted=WANTED_GAP):
    """Time prepared sides to within a gap of a certified optimum, and check what they have done.

    Parameters
    ----------
    record, name, case, sides, tolerances, options, wanted
        As in `measure_to_gap`.
    best : FitSide
        Has run to the optimum.
    """
    lowest = best.objective()
    record.add_case(case, name)
    print(f"{name}: lowest within {best.model.gap_:.1e} of the optimum", flush=True)
    courses = measure_to_gap(record, name, case, sides, lowest, tolerances, options, wanted)
    check_sides(record, name, sides, courses, lowest, options)

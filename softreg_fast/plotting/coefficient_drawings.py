"""How coefficients are drawn: each function draws one kind of picture on given axes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._typing import FloatArray
from .axes import (
    INCHES_OF_A_CHARACTER,
    are_turned,
    extent,
    label_columns,
    label_rows,
    printable,
    width_beside_names,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.container import BarContainer, ErrorbarContainer
    from matplotlib.image import AxesImage
    from matplotlib.text import Text

_MOST_FEATURES, _FEWEST_FEATURES, _MOST_MARKS = 20, 4, 90
_MOST_COLUMNS_WITH_NUMBERS = 8
_MOST_CELLS_WITH_NUMBERS = 240
_SHARE_BESIDE_COLOR_BAR = 0.8
_SHARE_OF_GROUP = 0.8
_DARK = 0.45  # luminance below which numbers are white
_GAP = 0.18  # between images, of their width
_SHORTEST_TITLE = 4  # of those that are shortened
# Inches.
_WIDTH, _HEIGHT_OF_LABELS, _LOWEST, _TALLEST = 6.4, 1.0, 2.4, 40.0
_HEIGHT_OF_ROW, _HEIGHT_OF_MARK, _HEIGHT_OF_TITLE = 0.27, 0.1, 0.14
_WIDTH_OF_IMAGES, _NARROWEST_IMAGE, _TALLEST_IMAGE = 5.0, 0.75, 3.0
_LOWEST_OF_IMAGES = 1.6
_WIDTH_OF_COLUMNS, _INCHES_OF_A_SMALL_CHARACTER, _INCHES_OF_A_DIGIT = 3.4, 0.068, 0.077


def most_features(kind: str, n_rows: int) -> int:
    """How many features are drawn if nobody says so."""
    if kind == "heatmap":
        return _MOST_FEATURES
    return max(_FEWEST_FEATURES, min(_MOST_FEATURES, _MOST_MARKS // n_rows))


def figure_size(
    kind: str,
    classes: Sequence[str],
    n_features: int,
    image_shape: tuple[int, int] | None,
) -> tuple[float, float]:
    """Width and height of a new figure, in inches."""
    n_rows = len(classes)
    if image_shape is not None:
        right, bottom, top = _limits_of_images(n_rows, image_shape)
        n_down = grid_of_images(n_rows, image_shape)[1]
        ratio, tallest = right / (bottom - top), _TALLEST_IMAGE * n_down
        height = min(_WIDTH_OF_IMAGES / ratio, tallest, _TALLEST)
        width = height * ratio + _WIDTH - _WIDTH_OF_IMAGES
        return width, max(height, _LOWEST_OF_IMAGES) + 0.2
    row, labels = _HEIGHT_OF_ROW, _HEIGHT_OF_LABELS
    if kind != "heatmap":
        row = max(row, (n_rows + 1) * _HEIGHT_OF_MARK)
    elif are_turned(classes, _WIDTH_OF_COLUMNS):
        labels += max(map(len, classes)) * INCHES_OF_A_CHARACTER
    return _WIDTH, float(np.clip(n_features * row + labels, _LOWEST, _TALLEST))


def _limits_of_images(n_images: int, image_shape: tuple[int, int]) -> tuple[float, float, float]:
    """Right, lower and upper end of axes with images, in pixels of images."""
    (n_across, n_down), (height, width) = grid_of_images(n_images, image_shape), image_shape
    gap = _GAP * width
    right = n_across * (width + gap) - 0.7 * gap
    return right, n_down * (height + 2.0 * gap) - 1.8 * gap, -1.8 * gap


def grid_of_images(n_images: int, image_shape: tuple[int, int]) -> tuple[int, int]:
    """Numbers of images side by side and one above the other."""
    most = int(_WIDTH / _NARROWEST_IMAGE)
    height, width = image_shape
    n_across = int(np.clip(np.ceil(np.sqrt(1.6 * n_images * height / width)), 1, most))
    n_across = min(n_across, n_images)
    n_down = -(-n_images // n_across)
    return -(-n_images // n_down), n_down


def _symmetric(values: FloatArray) -> "Normalize":
    """Colours whose middle is zero."""
    from matplotlib.colors import Normalize

    largest = float(np.abs(values).max()) or 1.0
    return Normalize(-largest, largest)


def draw_heatmap(
    ax: "Axes", coef: FloatArray, names: Sequence[str], classes: Sequence[str], cmap: Any
) -> "tuple[AxesImage, list[Text]]":
    """A row for each feature, a column for each class; numbers where there is room."""
    norm = _symmetric(coef)
    image = ax.imshow(coef.T, cmap=cmap, norm=norm, aspect="auto", interpolation="nearest")
    label_rows(ax, names)
    width = _SHARE_BESIDE_COLOR_BAR * width_beside_names(ax, names)
    label_columns(ax, classes, width)
    ax.set_xlabel("class")
    if len(classes) > _MOST_COLUMNS_WITH_NUMBERS or coef.size > _MOST_CELLS_WITH_NUMBERS:
        return image, []
    write = _writer(float(np.abs(coef).max()))
    longest = max(len(write(value)) for value in coef.ravel()) * _INCHES_OF_A_DIGIT
    if longest * len(classes) > width:
        return image, []
    texts = []
    for (row, column), value in np.ndenumerate(coef):
        rgb = np.array(image.cmap(norm(value))[:3])
        is_dark = float(rgb @ [0.299, 0.587, 0.114]) < _DARK
        color = "white" if is_dark else "black"
        texts.append(
            ax.text(row, column, write(value), color=color, ha="center", va="center", size=9)
        )
    return image, texts


def _writer(largest: float) -> Any:
    """A function that writes numbers, of which the largest has three digits; zeros as 0."""
    style = ".1e"
    if 1e-3 <= largest < 1e4:
        style = f".{int(np.clip(2 - np.floor(np.log10(largest)), 0, 5))}f"
    return lambda value: f"{value:{style}}".replace("-", "\N{MINUS SIGN}") if value else "0"


def draw_images(
    ax: "Axes", coef: FloatArray, image_shape: tuple[int, int], classes: Sequence[str], cmap: Any
) -> "tuple[list[AxesImage], list[Text]]":
    """An image for each class, with its name above."""
    height, width = image_shape
    n_across, _ = grid_of_images(len(coef), image_shape)
    norm, gap = _symmetric(coef), _GAP * width
    right, bottom, top_of_all = _limits_of_images(len(coef), image_shape)
    across_inches, down_inches = extent(ax)
    inches = min(across_inches / right, down_inches / (bottom - top_of_all))  # of a pixel
    longest = int(inches * (width + gap) / _INCHES_OF_A_SMALL_CHARACTER)
    have_titles = longest >= min(_SHORTEST_TITLE, max(map(len, classes)))
    have_titles &= inches * 2.0 * gap >= _HEIGHT_OF_TITLE
    images, texts = [], []
    for place, (values, name) in enumerate(zip(coef, classes, strict=True)):
        down, across = divmod(place, n_across)
        left, top = across * (width + gap), down * (height + 2.0 * gap)
        extent_of_one = (left, left + width, top + height, top)
        image = ax.imshow(
            values.reshape(image_shape), cmap=cmap, norm=norm, extent=extent_of_one,
            interpolation="nearest",
        )  # fmt: skip
        images.append(image)
        if have_titles:
            text = ax.text(
                left + width / 2, top - 0.15 * gap, printable(name, longest), size=10,
                ha="center", va="bottom", parse_math=False,
            )  # fmt: skip
            texts.append(text)
    ax.set_xlim(-0.3 * gap, right)
    ax.set_ylim(bottom, top_of_all)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return images, texts


def _begin_groups(ax: "Axes", n_rows: int, names: Sequence[str]) -> tuple[FloatArray, float]:
    """Positions of marks in a group, and how far apart they are."""
    for place in range(0, len(names), 2):
        ax.axhspan(place - 0.5, place + 0.5, color="0.95", zorder=0, linewidth=0.0)
    ax.axvline(0.0, color="0.3", linewidth=0.8, zorder=1)
    label_rows(ax, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    step = _SHARE_OF_GROUP / n_rows
    return (np.arange(n_rows) - (n_rows - 1) / 2) * step, step


def draw_bars(
    ax: "Axes",
    coef: FloatArray,
    names: Sequence[str],
    labels: Sequence[str | None],
    colors: Sequence[Any],
) -> "list[BarContainer]":
    """A group of bars for each feature."""
    offsets, step = _begin_groups(ax, len(coef), names)
    return [
        ax.barh(
            np.arange(len(names)) + offset, values, height=step, color=color, label=label, zorder=2
        )
        for offset, values, color, label in zip(offsets, coef, colors, labels, strict=True)
    ]


def draw_intervals(
    ax: "Axes",
    coef: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    names: Sequence[str],
    labels: Sequence[str | None],
    colors: Sequence[Any],
) -> "list[ErrorbarContainer]":
    """A group of points with lines for each feature."""
    offsets, _ = _begin_groups(ax, len(coef), names)
    return [
        ax.errorbar(
            coef[row], np.arange(len(names)) + offset,
            xerr=[coef[row] - lower[row], upper[row] - coef[row]],
            fmt="o", markersize=4, capsize=2, color=color, label=label, zorder=2,
        )
        for row, (offset, color, label) in enumerate(zip(offsets, colors, labels, strict=True))
    ]  # fmt: skip

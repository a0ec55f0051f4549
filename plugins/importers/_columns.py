"""Is a column of a published table in one unit? A fraction among percentages stands out, and so does the reverse."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from harness import RequestError

Columns = Mapping[str, Mapping[str, float]]
"""Column -> row -> number."""
SPREAD = 6.0
"""Columns whose largest number is more than so many times the smallest are not judged: a real one may stand apart."""
APART = 10.0
"""A number of another unit is at least so many times smaller, or larger, than every other one of its column."""
HARD_ROWS = 6
"""In a hard column a number is judged by all others, and by at least so many."""
CHANCE = 0.2
"""Percent: guessing among 1,000 classes is half of it. A clean accuracy above, though at most 1, is a fraction."""
STEP = 1e-4
"""Numbers that are whole multiples of it may be rounded: they do not say out of how many images they are."""
SOUND = 10.0
"""Percent: a network with so much clean accuracy is right in more than 1 % of the images of all but the hard sets."""


@dataclass(frozen=True)
class _Others:
    """The other numbers of a column."""

    low: float
    high: float

    def near(self, value: float) -> bool:
        """Whether `value` would be an ordinary number of this column."""
        return self.low / 2 <= value <= 2 * self.high

    @property
    def narrow(self) -> bool:
        """Whether a number that is a hundred times smaller or larger stands out."""
        return 0 < self.low and self.high <= SPREAD * self.low


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What is known of some columns.

    Attributes:
        clean: the column of accuracies on unmodified images.
        harder: columns of accuracies on as many classes, of about the same images or harder ones.
        hard: columns where accuracies below 1 % are ordinary: sets chosen against networks, and attacks.
        images: column -> out of how many images its accuracies are.
        relative: columns of accuracies relative to clean accuracy.
    """

    clean: str
    harder: Collection[str]
    hard: Collection[str]
    images: Mapping[str, int]
    relative: Collection[str]


def refuse_other_units(percentages: Columns, ratios: Columns, meaning: Meaning) -> None:
    """Raise RequestError, with row and column, for the first number that is of another unit than its column.

    A network that guesses (its row has only tiny percentages) is not taken for a row of fractions: a hundred times
    larger, its accuracies still do not fit.

    Args:
        percentages: columns of accuracies in percent.
        ratios: columns of numbers near one, or of fractions.
        meaning: what is known of some of them.
    """
    clean, hard = meaning.clean, meaning.hard
    guessing = _tiny_rows(percentages)
    sound = {column: _without(values, guessing) for column, values in percentages.items()}
    for row in guessing:
        _refuse_row_of_fractions(percentages, sound, clean, row)
    _refuse_low_clean_accuracy(sound, meaning)
    for column, row, value in _beside_sound_accuracy(sound, clean, hard):
        raise _refusal(row, column, value, f"a percentage, as the {sound[clean][row]:g} of {clean}")
    for column, values in sound.items():
        positive = {name: number for name, number in values.items() if number > 0}
        needed = max(len(positive) - 1, HARD_ROWS) if column in hard else len(positive) / 2
        for row, value, others in _judged(positive, needed):
            if value <= 1 and APART * value < others.low and others.near(100 * value):
                raise _refusal(row, column, value, "a percentage, and it is a hundred times below the others")
    for column, numbers in ratios.items():
        for row, value, others in _judged(_without(numbers, guessing), len(numbers) / 2):
            if value > max(1, APART * others.high) and others.near(value / 100):
                raise _refusal(row, column, value, "a fraction, and it is a hundred times above the others")
    _refuse_fractions_of_images(sound, meaning)
    _refuse_above_all_images(ratios, sound.get(clean, {}), meaning)


def _refuse_low_clean_accuracy(percentages: Columns, meaning: Meaning) -> None:
    """Raise RequestError for a clean accuracy far below that on a harder set: a fraction, or an error."""
    for row, value in percentages.get(meaning.clean, {}).items():
        others = {column: percentages.get(column, {}).get(row, 0.0) for column in meaning.harder}
        column = max(others, key=lambda name: others[name], default="")
        if column and others[column] > max(1, 2 * value):
            raise _refusal(
                row, meaning.clean, value, f"a percentage of correct decisions, as the {others[column]:g} of {column}"
            )


def _refuse_fractions_of_images(percentages: Columns, meaning: Meaning) -> None:
    """Raise RequestError for a number that is a whole number of images only if it is a fraction."""
    for column, images in meaning.images.items():
        for row, value in percentages.get(column, {}).items():
            is_exact = not _is_whole(value / STEP, 1e-6)
            if (
                is_exact
                and value <= 1
                and _is_whole(value * images, 1e-3)
                and not _is_whole(value * images / 100, 1e-2)
            ):
                text = f"a percentage: it is a whole number of {images:,} images as a fraction alone"
                raise _refusal(row, column, value, text)


def _refuse_above_all_images(ratios: Columns, clean: Mapping[str, float], meaning: Meaning) -> None:
    """Raise RequestError for a relative accuracy with which more than all images would be right."""
    for column in meaning.relative:
        for row, value in ratios.get(column, {}).items():
            if value * clean.get(row, 0.0) > 100 * (1 + STEP):
                text = f"at most {100 / clean[row]:.2f}: with a clean accuracy of {clean[row]:g} more than all images"
                raise _refusal(row, column, value, f"{text} would be right")


def _is_whole(value: float, within: float) -> bool:
    return abs(value - round(value)) <= within


def _tiny_rows(percentages: Columns) -> list[str]:
    """Rows of which at least half of the percentages are at most 1."""
    rows = dict.fromkeys(row for values in percentages.values() for row in values)
    numbers = {row: [values[row] for values in percentages.values() if row in values] for row in rows}
    return [row for row, of_row in numbers.items() if 2 * sum(number <= 1 for number in of_row) >= len(of_row)]


def _beside_sound_accuracy(percentages: Columns, clean: str, hard: Collection[str]) -> Iterator[tuple[str, str, float]]:
    """(column, row, number) of numbers of at most 1 in columns that are not hard, in rows with clean accuracy."""
    for column, values in percentages.items():
        for row, value in values.items() if column not in hard else ():
            if value <= 1 and percentages.get(clean, {}).get(row, 0) > SOUND:
                yield column, row, value


def _without(values: Mapping[str, float], rows: list[str]) -> dict[str, float]:
    return {row: number for row, number in values.items() if row not in rows}


def _judged(values: Mapping[str, float], needed: float) -> Iterator[tuple[str, float, _Others]]:
    """Each number that is far from at least so many others of its column, with those, where they are narrow."""
    ordered = sorted(values.values())
    for row, value in values.items():
        apart = (len(ordered) - bisect_right(ordered, APART * value), bisect_left(ordered, value / APART))
        if value > 0 and max(apart) < max(needed, 1):
            continue
        rest = [number for other, number in values.items() if other != row]
        sides = [[n for n in rest if n > APART * value], [n for n in rest if APART * n < value]]
        others = max(sides, key=len)
        if others and len(others) >= needed:
            judge = _Others(min(others), max(others))
            if judge.narrow:
                yield row, value, judge


def _refuse_row_of_fractions(percentages: Columns, sound: Columns, clean: str, row: str) -> None:
    """Raise RequestError if the row fits to its columns once its numbers are a hundred times larger."""
    judges = {column: _Others(min(values.values()), max(values.values())) for column, values in sound.items() if values}
    cells = {column: values[row] for column, values in percentages.items() if values.get(row)}
    fits = [judges[column].near(100 * value) for column, value in cells.items() if column in judges]
    alone = not fits and cells.get(clean, 0) > CHANCE
    if alone or (fits and sum(fits) >= 0.8 * len(fits)):
        column, value = next(iter(cells.items()))
        raise _refusal(row, column, value, "a percentage: all accuracies of this row look like fractions")


def _refusal(row: str, column: str, value: float, expected: str) -> RequestError:
    return RequestError(f"{row}: column {column} has {value:g}, expected {expected}; correct the table")

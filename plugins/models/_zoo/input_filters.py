"""Names of the filters that can stand in front of a network of the zoo, and what each lets through."""

from __future__ import annotations

import re

HIGHEST = 31
"""The highest frequency below that of the pixel grid, in cycles an image of 64 pixels."""
FORMS = f"plain, low-pass-R, high-pass-R, band-pass-R-R (R: 1 to {HIGHEST} cycles an image, increasing)"
_NUMBER = r"([1-9]\d?)"
_FORM = re.compile(rf"plain|low-pass-{_NUMBER}|high-pass-{_NUMBER}|band-pass-{_NUMBER}-{_NUMBER}")


def band(front: str) -> tuple[int, int | None] | None:
    """The frequencies that pass: from the first to below the second (None: to the highest). None: all of them.

    Raises:
        ValueError: there is no such front; names the known forms.
    """
    found = _FORM.fullmatch(front)
    numbers = [int(number) for number in found.groups() if number] if found else []
    if found is None or numbers != sorted({*numbers}) or any(number > HIGHEST for number in numbers):
        raise ValueError(f"no network of the zoo has the front {front!r}; known: {FORMS}")
    if not numbers:
        return None
    if front.startswith("low-pass"):
        return 0, numbers[0]
    return numbers[0], (numbers[1] if len(numbers) == 2 else None)

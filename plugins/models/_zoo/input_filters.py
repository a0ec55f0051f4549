"""Names of the input filters of the zoo's networks, and the band that each passes."""

from __future__ import annotations

import re

HIGHEST = 31
"""The highest frequency below the Nyquist frequency, in cycles per image of 64 pixels."""
FORMS = f"plain, low-pass-R, high-pass-R, band-pass-R-R (R: 1 to {HIGHEST} cycles an image, increasing)"
_NUMBER = r"([1-9]\d?)"
_FORM = re.compile(rf"plain|low-pass-{_NUMBER}|high-pass-{_NUMBER}|band-pass-{_NUMBER}-{_NUMBER}")


def band(front: str) -> tuple[int, int | None] | None:
    """The frequencies that pass: from the first to below the second (None: to the highest). None: all frequencies.

    Raises:
        ValueError: there is no such front; the message lists the valid forms.
    """
    match = _FORM.fullmatch(front)
    numbers = [int(number) for number in match.groups() if number] if match else []
    if match is None or numbers != sorted({*numbers}) or any(number > HIGHEST for number in numbers):
        raise ValueError(f"no network of the zoo has the front {front!r}; known: {FORMS}")
    if not numbers:
        return None
    if front.startswith("low-pass"):
        return 0, numbers[0]
    return numbers[0], (numbers[1] if len(numbers) == 2 else None)

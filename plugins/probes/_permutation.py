"""Whether one exchange of the classes explains why a network is wrong: a classifier's rows in another order.

The exchange is fitted to every other image of each class and judged on the rest, so that one fitted to noise explains
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Trials

from ._chance import guessing_p

if TYPE_CHECKING:
    import numpy as np

LEAST, LEAST_CLASSES = 10, 5
"""Images on which an exchange is judged, and classes among them that it makes right, at least."""
SIGNIFICANCE = 1e-6


def explained_by_exchange(trials: Trials, column: int) -> str:
    """What exchange of the classes would make the decisions right, in words; empty if none explains them.

    An exchange explains decisions if at least 0.3 + 0.7 / K of the other half of the images are then right, which
    guessing would not reach (one-sided binomial test, p < 1e-6).

    Args:
        column: of the decisions in `trials`.
    """
    import numpy as np

    targets, classes = trials.layout.targets, len(trials.layout.classes)
    choices = np.asarray(trials.top5[:, column, 0], dtype=np.int64)
    single = ((targets >= 0).sum(axis=1) == 1) & (choices >= 0) & (choices < classes)
    labels = targets.max(axis=1).astype(np.int64)
    second = _every_other(labels, trials.repeats)
    fitted, judged = single & ~second, single & second
    if classes < 2 or fitted.sum() < LEAST or judged.sum() < LEAST:
        return ""
    shift = int(np.bincount((choices - labels)[fitted] % classes, minlength=classes).argmax())
    halves = [_confusions(labels[half], choices[half], classes) for half in (fitted, judged)]
    order = _best_order(*halves)
    shares = [
        _share(expected, choices, judged, trials.repeats, classes) or 0.0
        for expected in ((labels + shift) % classes, choices if order is None else order[labels])
    ]
    return _in_words(shift, classes, shares[0] if shift else 0.0, 0.0 if order is None else shares[1])


def _in_words(shift: int, classes: int, shifted: float, ordered: float) -> str:
    """The shift if it explains as much as the best order, else that order; empty if neither explains anything.

    Args:
        shifted, ordered: share of right decisions without the shift, and after the exchange; 0 if it explains nothing.
    """
    distance, side = (shift, "after") if 2 * shift <= classes else (classes - shift, "before")
    if shifted and shifted >= ordered:
        where = f"every class is answered as the class {distance} {side} it"
        return f"shifted-classes: {where}; without this shift of the outputs top1 would be {shifted:.3f}"
    where = "every class is answered as one other class"
    text = f"permuted-classes: {where}; after one permutation of the outputs top1 would be {ordered:.3f}"
    return text if ordered else ""


def _every_other(labels: np.ndarray, repeats: int) -> np.ndarray:
    """Whether a row shows every second image in the order of the classes, (N,) bool: half of each class."""
    import numpy as np

    of_image = labels[::repeats]
    place = np.empty(len(of_image), dtype=np.int64)
    place[np.argsort(of_image, kind="stable")] = np.arange(len(of_image))
    return np.repeat(place % 2 == 1, repeats)


def _least(classes: int) -> float:
    return 0.3 + 0.7 / classes


def _share(expected: np.ndarray, choices: np.ndarray, judged: np.ndarray, repeats: int, classes: int) -> float | None:
    """Share of the judged rows in which the choice is as expected; None if that explains too little."""
    right = (expected == choices) & judged
    hits, n = int(right.sum()), int(judged.sum())
    if hits / n < _least(classes) or len(set(expected[right].tolist())) < min(LEAST_CLASSES, classes):
        return None
    return hits / n if guessing_p(hits // repeats, n // repeats, 1 / classes) < SIGNIFICANCE else None


def _confusions(labels: np.ndarray, choices: np.ndarray, classes: int) -> np.ndarray:
    """How many images of each class are answered as each class, (K, K) int64."""
    import numpy as np

    counts = np.bincount(labels * classes + choices, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def _best_order(fitted: np.ndarray, judged: np.ndarray) -> np.ndarray | None:
    """Class -> the class that is answered for it, each once, right for most of the fitted images.

    The Hungarian method (Kuhn 1955) on the matrix of confusions. None if no order can be right for enough images of
    either half: none is better than the best answer of every class, or the best class of every answer.
    """
    import numpy as np

    for half in (fitted, judged):
        if min(half.max(axis=1).sum(), half.max(axis=0).sum()) / half.sum() < _least(len(half)):
            return None
    from scipy.optimize import linear_sum_assignment

    return np.asarray(linear_sum_assignment(fitted, maximize=True)[1])

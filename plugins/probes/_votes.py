"""Mistakes that people accept: decisions that are not the label, judged by what people say is in the image.

Stock & Cissé, "ConvNets and ImageNet Beyond Accuracy" (ECCV 2018) put the question; the answers are five votes on each
of 184,962 pairs of an image and a label (Beyer et al. 2020, arXiv 2006.07159), the ReaL labels made of them, and the
judgements of experts on the last mistakes of two networks (Vasudevan et al., NeurIPS 2022). All three are attributes of
a dataset, which are stored with the trials:

    votes    ``556:5/0/0 779:1/1/3``: class, and how many people answered no, maybe and yes; empty: nothing was voted on
    real     ``779 553``: the ReaL labels; empty: there are none
    judged   ``281:major 285:minor``: class that is a mistake, and how bad experts find it; empty: they saw none

Classes are positions among the dataset's own. A layout without these attributes has none of these measures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from harness import NO_LABELS, Measure, Trials, proportion

DENOMINATORS: Final = dict.fromkeys(
    ("accepted-mistakes", "accepted-mistakes-or-maybe", "mistakes-in-real", "major-mistakes"), "error/*"
)
"""Shares of a network's own mistakes, under attack those there: they depend on how many of them each network makes."""
UNVOTED: Final = "note: mistakes that were never put to the vote count as not accepted (see voted)"
_FORMS: Final = {
    "votes": (re.compile(r"[0-9]{1,5}:[0-9]{1,4}/[0-9]{1,4}/[0-9]{1,4}"), "556:5/0/0 779:1/1/3 (class:no/maybe/yes)"),
    "real": (re.compile(r"[0-9]{1,5}"), "779 553"),
    "judged": (re.compile(r"[0-9]{1,5}:(major|minor)"), "281:major 285:minor"),
}
"""Attribute -> form of one of its words, and an example for messages."""
_HIGHER: Final = ("accepted-mistakes", "accepted-mistakes-or-maybe", "mistakes-in-real", "real-top1")
_NEITHER: Final = ("voted", "judged")
Direction = Literal["higher", "lower", "neither"]
_NO_MISTAKES: Final = "no decision is a mistake"


class _FormError(ValueError):
    """An attribute is not of its form; the message says which, on one line."""


def votes_measures(trials: Trials, condition: str, label: str) -> Iterator[Measure]:
    """What people say of the decisions under `condition`, named after `label`, as far as the dataset knows it.

    A mistake is a decision that is none of the sample's targets; ``error`` is its share of all trials. ``voted`` is the
    share of mistakes whose class was put to the vote for this very image. Among these, ``accepted-mistakes`` is the
    share with more yes than other votes, ``accepted-mistakes-or-maybe`` that with more yes and maybe than no.
    ``rectified-error`` and ``rectified-error-or-maybe`` are the shares of all trials that are mistakes and not accepted
    ones; a mistake without votes is not accepted. ``mistakes-in-real`` is the share of all mistakes that are ReaL
    labels, ``real-top1`` the share of ReaL labels among the decisions on images that have any. ``major-mistakes`` is
    the share of major ones among the mistakes that experts judged, and ``judged`` their share of all mistakes.

    All have 95 % intervals, see `portion`. An attribute of another form makes its measures undefined, with the reason.
    Where the dataset has the attribute ``factor`` too, ``error`` without a condition is left to that.
    """
    decisions, attributes = _Decisions.of(trials, condition), trials.layout.attributes
    for attribute, (names, measures) in _MEASURES.items():
        if attribute not in attributes:
            continue
        try:
            if not trials.layout.labelled:
                raise _FormError(NO_LABELS)
            made = list(measures(decisions, attributes[attribute]))
        except _FormError as error:
            made = [_undefined(name, len(decisions.wrong), str(error)) for name in names.split()]
        if "factor" in attributes and not label:
            made = [measure for measure in made if measure.name != "error"]
        yield from (replace(measure, condition=label) for measure in made)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Decisions:
    """Decisions under one condition, with `repeats` rows of each image.

    Attributes:
        chosen: (N,) classes. wrong: (N,) bool. sample_ids: one of each image. classes: their number.
    """

    chosen: np.ndarray
    wrong: np.ndarray
    repeats: int
    classes: int
    sample_ids: Sequence[str]

    @staticmethod
    def of(trials: Trials, condition: str) -> _Decisions:
        column, layout = trials.column(condition), trials.layout
        return _Decisions(
            chosen=trials.top5[:, column, 0],
            wrong=~trials.correct[:, column],
            repeats=trials.repeats,
            classes=len(layout.classes),
            sample_ids=layout.sample_ids[:: trials.repeats],
        )

    def sayings(self, attribute: str, texts: tuple[str, ...]) -> list[str | None]:
        """What the attribute says of the class of each decision: the rest of its word; None where it has no word."""
        of_images = _parsed(attribute, texts[:: self.repeats], self.classes)
        if isinstance(of_images, int):
            text = texts[of_images * self.repeats][:60]
            raise _FormError(
                f"the attribute {attribute!r} of {self.sample_ids[of_images]} is {text!r}, expected the form "
                f"{_FORMS[attribute][1]} with classes from 0 to {self.classes - 1}, each once"
            )
        return [of_images[row // self.repeats].get(chosen) for row, chosen in enumerate(self.chosen.tolist())]

    def share(self, name: str, hits: np.ndarray, among: np.ndarray, empty: str = _NO_MISTAKES) -> Measure:
        """`portion` of these decisions."""
        return portion(name, hits, among, repeats=self.repeats, empty=empty)


@lru_cache(maxsize=6)
def _parsed(attribute: str, texts: tuple[str, ...], classes: int) -> tuple[Mapping[int, str], ...] | int:
    """Of each text, class -> the rest of its word; or the number of the first text that is not of its form."""
    form, nothing = _FORMS[attribute][0], dict[int, str]()
    parsed: list[Mapping[int, str]] = []
    for number, text in enumerate(texts):
        words = text.split(" ") if text else []
        entries = {int(head): rest for head, _, rest in (word.partition(":") for word in words if form.fullmatch(word))}
        if len(entries) < len(words) or (entries and max(entries) >= classes):
            return number
        parsed.append(entries or nothing)
    return tuple(parsed)


# --- the measures of each attribute -----------------------------------------------------------


def _of_votes(decisions: _Decisions, texts: tuple[str, ...]) -> Iterator[Measure]:
    """The most telling first, each beside `voted`: tables have room for few."""
    counts = decisions.sayings("votes", texts)
    votes = np.array([text.split("/") if text else (0, 0, 0) for text in counts], dtype=np.int64).reshape(-1, 3)
    wrong, every, cast = decisions.wrong, np.ones(len(votes), dtype=bool), votes.sum(axis=1)
    voted = wrong & (cast > 0)
    empty = "no mistake was put to the vote" if wrong.any() else _NO_MISTAKES
    flags = (UNVOTED,) if (wrong & ~voted).any() else ()
    yes, maybe = 2 * votes[:, 2] > cast, 2 * votes[:, 1:].sum(axis=1) > cast
    yield decisions.share("accepted-mistakes", yes, voted, empty)
    yield decisions.share("voted", voted, wrong)
    yield replace(decisions.share("rectified-error", wrong & ~yes, every, "no trials"), flags=flags)
    yield decisions.share("error", wrong, every, "no trials")
    yield decisions.share("accepted-mistakes-or-maybe", maybe, voted, empty)
    yield replace(decisions.share("rectified-error-or-maybe", wrong & ~maybe, every, "no trials"), flags=flags)


def _of_real(decisions: _Decisions, texts: tuple[str, ...]) -> Iterator[Measure]:
    in_real = np.array([word is not None for word in decisions.sayings("real", texts)], dtype=bool)
    labelled = np.array([bool(text) for text in texts], dtype=bool)
    yield decisions.share("mistakes-in-real", in_real, decisions.wrong)
    yield decisions.share("real-top1", in_real, labelled, "no image has ReaL labels")


def _of_experts(decisions: _Decisions, texts: tuple[str, ...]) -> Iterator[Measure]:
    severities = np.array([severity or "" for severity in decisions.sayings("judged", texts)], dtype="<U5")
    judged = decisions.wrong & (severities != "")
    empty = "experts judged none of the mistakes" if decisions.wrong.any() else _NO_MISTAKES
    yield decisions.share("major-mistakes", severities == "major", judged, empty)
    yield decisions.share("judged", judged, decisions.wrong)


_OF_VOTES: Final = "accepted-mistakes voted rectified-error error accepted-mistakes-or-maybe rectified-error-or-maybe"
_MEASURES: Final = {
    "votes": (_OF_VOTES, _of_votes),
    "real": ("mistakes-in-real real-top1", _of_real),
    "judged": ("major-mistakes judged", _of_experts),
}
"""Attribute -> names of its measures, and what makes them."""


# --- shares of a part of the trials -----------------------------------------------------------


def portion(name: str, hits: np.ndarray, among: np.ndarray, *, repeats: int = 1, empty: str = "no trials") -> Measure:
    """The share of `hits` among the trials `among`, with its 95 % interval; undefined if there are none.

    The interval is Wilson's if each row is an image. If several rows belong to one image (pooled views), it rests on
    the spread between images: of the ratio of two sums over images, ± 1.96 standard errors of its linearized form,
    clipped to [0, 1]; none if there is no spread. Where every trial counts, that is `harness.share`.

    Args:
        hits, among: (N,) bool, with the rows of one image next to each other.
        repeats: rows of each image. empty: the reason if no trial counts.
    """
    counted = hits & among
    n, found = int(among.sum()), int(counted.sum())
    if not n:
        return _undefined(name, 0, empty)
    measure = proportion(name, found, n, direction=_direction(name))
    if repeats == 1:
        return measure
    return _by_image(measure, counted.reshape(-1, repeats).sum(axis=1), among.reshape(-1, repeats).sum(axis=1))


def _by_image(measure: Measure, hits: np.ndarray, trials: np.ndarray) -> Measure:
    """`measure`, the sum of `hits` by that of `trials`, (images,) each, with an interval from the spread of images."""
    value, images = float(hits.sum() / trials.sum()), len(hits)
    squares = float(((hits - value * trials) ** 2).sum())
    error = (squares * images / max(images - 1, 1)) ** 0.5 / float(trials.sum())
    if error == 0:
        return replace(measure, low=None, high=None)
    return replace(measure, low=max(0.0, value - 1.96 * error), high=min(1.0, value + 1.96 * error), by_image=True)


def _undefined(name: str, n: int, reason: str) -> Measure:
    return Measure(name=name, value=None, direction=_direction(name), n=n, reason=reason)


def _direction(name: str) -> Direction:
    return "higher" if name in _HIGHER else "neither" if name in _NEITHER else "lower"

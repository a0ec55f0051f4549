"""PGD: accuracy under small perturbations optimized against the network.

Madry, Makelov, Schmidt, Tsipras, Vladu: "Towards Deep Learning Models Resistant to Adversarial Attacks" (ICLR 2018),
as in Gavrikov & Keuper, "Can Biases in ImageNet Models Explain Generalization?" (CVPR 2024): L-infinity PGD of foolbox
(``LinfPGD``; Rauber et al., JOSS 2020) with 40 steps of 2/255 inside a ball of radius ε = 0.5/255 ("low").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness import ArraySpec, Batch, Measure, Trials, WhiteBoxProbe, accuracy_measures, hookimpl

from ._votes import votes_measures

if TYPE_CHECKING:
    import torch

    Classifier = Callable[[torch.Tensor], torch.Tensor]

ASSUMED = "assumption: the ε of the study's `high` is not published"
UNATTACKED = 0.05
"""Largest share of images that count as robust without a gradient in every step."""
BLIND = "steps-without-gradient"
_STUDY = {"steps": 40, "step": 2.0, "low": 0.5}
_FORWARDS_A_GRADIENT = 3


@dataclass(frozen=True, kw_only=True)
class Pgd(WhiteBoxProbe):
    """Top-1 accuracy after an untargeted L-infinity attack; clean errors count as errors.

    From a uniformly random point of the ε-ball, each step adds ``step`` times the sign of the loss's gradient, projects
    onto the ball, and clips to [0, 1]; the last point counts, whether or not an earlier one fooled the network. The
    loss is minus the logarithm of the total probability of all accepted classes: the cross entropy if there is one.

    A step larger than ε, as in the study, is a property of the attack, not a mistake of this probe: each step ends on
    the ball's surface wherever the gradient is not zero, so the attack moves between corners and never settles inside.
    Settings that differ from the study's are flagged at every ``top1``.

    Each image is attacked independently, but the network's gradients may be rounded differently in a batch of another
    size; values with a gradient near zero can then take the other sign and end up to 2ε away.

    Where the gradient is zero or not finite (a `detach` or rounding in the network, a saturated softmax), the attack
    does not move, and the image counts as robust without having been attacked. The array ``steps-without-gradient``
    counts such steps. ``top1`` is flagged with the share of images that are correct and had any, and is undefined if
    this share, by which the accuracy may be overstated, is above `UNATTACKED`.

    On datasets that say what people see in their images, the mistakes under attack are judged by that: is the wrong
    class one that people accept (docs/votes.md)?

    Attributes:
        steps: gradient steps.
        step: length of a step, in 1/255.
        low: radius ε of condition ``pgd-<steps>-low``, in 1/255.
        high: radius of ``pgd-<steps>-high``; None leaves that condition out. The study does not publish its value. Its
            accuracies are consistent with 4 (39.2 % for the network trained against ε = 4/255), which is no proof:
            ``top1`` carries a flag.
    """

    steps: int = 40
    step: float = 2.0
    low: float = 0.5
    high: float | None = None
    name: ClassVar[str] = "pgd"
    needs_labels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, got {self.steps}")
        for name in ("step", "low", "high"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is a positive length in 1/255 (2 means 2/255), got {value}")
        if self.high is not None and self.high <= self.low:
            raise ValueError(f"high must be above low, got low {self.low:g} and high {self.high:g}")

    def conditions(self, size: int) -> tuple[str, ...]:
        """``pgd-40-low``, and ``pgd-40-high`` if `high` is set; at any size."""
        return tuple(self._radii())

    def arrays(self, size: int) -> Mapping[str, ArraySpec]:
        """``steps-without-gradient``: steps at which an image's gradient was zero or not finite, 0 to `steps`."""
        return {BLIND: ArraySpec(dtype="int16")}

    def attacks(
        self, batch: Batch, classifier: Classifier
    ) -> Iterator[tuple[str, torch.Tensor, Mapping[str, torch.Tensor]]]:
        """The attacked images, each within ε of the original and within [0, 1], and the steps without a gradient."""
        import torch

        targets = _target_rows(batch)
        for condition, radius in self._radii().items():
            attacked = _random_start(batch, f"{condition} start", radius)
            blind = torch.zeros(len(attacked), dtype=torch.int16, device=attacked.device)
            for _ in range(self.steps):
                gradient = _gradient(classifier, attacked, targets)
                blind += without_gradient(gradient)
                attacked = projected(attacked + self.step / 255 * _direction(gradient), batch.images, radius)
            yield condition, attacked, {BLIND: blind}

    def effort(self) -> int:
        """A gradient costs about three forwards; the last forward is the decision."""
        return _FORWARDS_A_GRADIENT * self.steps + 1

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """``top1``, ``correct`` and ``n`` under each condition; `votes_measures` of the decisions under attack.

        Is the wrong class that an attack ends with one that people see in the image? Errors on the intact image count
        among its mistakes.
        """
        for condition in self._radii():
            unattacked = _unattacked(trials, condition)
            for measure in (*accuracy_measures(trials, condition), *votes_measures(trials, condition, condition)):
                if measure.name == "top1":
                    measure = replace(measure, flags=self._flags(condition))
                yield measure if measure.unit == "count" else _attacked(measure, unattacked)

    def _radii(self) -> dict[str, float]:
        """Condition -> ε in units of [0, 1]."""
        radii = {"low": self.low, "high": self.high}
        return {f"pgd-{self.steps}-{name}": value / 255 for name, value in radii.items() if value is not None}

    def _flags(self, condition: str) -> tuple[str, ...]:
        high = condition.endswith("-high")
        changed = [
            f"{name} {getattr(self, name):g}, in the study {value:g}"
            for name, value in _STUDY.items()
            if getattr(self, name) != value and not (high and name == "low")
        ]
        return (*([ASSUMED] if high else []), *([f"note: {'; '.join(changed)}"] if changed else []))


def _unattacked(trials: Trials, condition: str) -> np.ndarray:
    """(N,) bool: correct decisions on images that the attack could not move in every step."""
    column = trials.column(condition)
    correct = trials.correct[:, column]
    if BLIND not in trials.arrays:  # stored before the array was
        return np.zeros_like(correct)
    return np.asarray((trials.array(BLIND)[:, column] > 0) & correct)


def _attacked(measure: Measure, unattacked: np.ndarray) -> Measure:
    """`measure` with a flag if it rests on images that were not attacked; undefined if they are too many."""
    if measure.value is None or not unattacked.any():
        return measure
    text = (
        f"{int(unattacked.sum())} of {len(unattacked)} images count as robust, and their gradient was zero or not "
        f"finite, so that the attack could not move them"
    )
    if unattacked.mean() <= UNATTACKED:
        return replace(measure, flags=(*measure.flags, f"note: {text}"))
    return replace(
        measure, value=None, low=None, high=None,
        reason=f"{text} (at most {UNATTACKED:.0%} may be): look for detach, rounding or a saturated softmax",
    )  # fmt: skip


def projected(images: torch.Tensor, centre: torch.Tensor, radius: float) -> torch.Tensor:
    """The nearest images within `radius` of `centre` in every value, then clipped to [0, 1]; shapes as `centre`."""
    return (centre + (images - centre).clamp(-radius, radius)).clamp(0, 1)


def _random_start(batch: Batch, purpose: str, radius: float) -> torch.Tensor:
    """A uniformly random point of the cube around each image, clipped to [0, 1]; reproducible for each sample."""
    return (batch.images + (2 * batch.uniform(purpose) - 1) * radius).clamp(0, 1)


def _target_rows(batch: Batch) -> torch.Tensor:
    """Accepted classes, (B, T) int64, padded with -1."""
    import torch

    most = max(map(len, batch.targets))
    rows = [(*targets, *[-1] * (most - len(targets))) for targets in batch.targets]
    return torch.tensor(rows, device=batch.images.device)


def _gradient(classifier: Classifier, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Gradient of the loss, summed over the batch, with respect to the images."""
    import torch

    leaf = images.detach().requires_grad_()
    accepted = classifier(leaf).gather(1, targets.clamp(min=0)).masked_fill(targets < 0, -math.inf)
    gradient: torch.Tensor = torch.autograd.grad(-accepted.logsumexp(dim=1).sum(), leaf)[0]
    return gradient


def without_gradient(gradient: torch.Tensor) -> torch.Tensor:
    """(B,) bool: whether the gradient (B, 3, S, S) of an image is zero, or not finite, so that no step follows it."""
    import torch

    flat = gradient.flatten(1)
    peak = torch.maximum(flat.amax(1), -flat.amin(1))  # several times faster than the norm; NaN if one value is
    return ~((peak > 0) & peak.isfinite())


def _direction(gradient: torch.Tensor) -> torch.Tensor:
    """The sign of the gradient; 0 where it is not a number."""
    return gradient.sign().nan_to_num_(0.0)


@hookimpl
def harness_probes() -> list[WhiteBoxProbe]:
    """Accuracy under projected gradient descent."""
    return [Pgd()]

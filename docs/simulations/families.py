"""How often a star appears where nothing is to be found, and where something is: a simulation of studies with families.

Each study has the 48 models of Gavrikov and Keuper (CVPR 2024) in their seven training families. A family shifts all
its models, in the bias and in the axis, and the two shifts have nothing to do with each other. In the last column the
axis of a model also follows its bias, within and across families.

    python docs/simulations/families.py
"""

from __future__ import annotations

import sys

import numpy as np

from harness import inference, statistics

SIZES = (1, 10, 12, 3, 1, 15, 6)
"""Models of the study's families."""
FAMILIES = [f"family-{number}" for number, size in enumerate(SIZES) for _ in range(size)]
STUDIES, DRAWS, SEED = 400, 2_000, 0


def quantities(rng: np.random.Generator, count: int, share: float) -> np.ndarray:
    """(count, 48) quantities of variance 1, of which families explain the given share."""
    shifts = np.repeat(rng.standard_normal((count, len(SIZES))), SIZES, axis=1)
    return np.sqrt(share) * shifts + np.sqrt(1 - share) * rng.standard_normal((count, len(FAMILIES)))


def stars(biases: np.ndarray, axes: np.ndarray) -> dict[str, float]:
    """The share of studies with p < 0.05, of each test."""
    pairs = list(zip(biases, axes, strict=True))
    old = [statistics.spearman(bias, axis).p for bias, axis in pairs]
    new = [
        float(inference.blocked_test(bias, axis, FAMILIES, draws=DRAWS, seed=study).p[0, 0])
        for study, (bias, axis) in enumerate(pairs)
    ]
    return {
        "models as if independent": float(np.mean(np.array(old, dtype=float) < 0.05)),
        "within families": float(np.mean(np.array(new) < 0.05)),
    }


def simulate(share: float, slope: float, studies: int = STUDIES) -> dict[str, float]:
    """Stars where families explain `share` of the variance, and the axis follows the bias of each model by `slope`."""
    rng = np.random.default_rng([SEED, round(100 * share), round(100 * slope)])
    biases, axes = quantities(rng, studies, share), quantities(rng, studies, share)
    return stars(biases, slope * biases + np.sqrt(1 - slope**2) * axes)


def main() -> None:
    """Print the table of docs/statistics.md."""
    lines = [f"share of {STUDIES} simulated studies with a star (p < 0.05)"]
    for share in (0.0, 0.3, 0.65):
        none, planted = simulate(share, 0.0), simulate(share, 0.5)
        for test in none:
            rates = f"no effect {none[test]:5.1%}  effect 0.5 {planted[test]:5.1%}"
            lines.append(f"families explain {share:4.0%}  {test:25} {rates}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

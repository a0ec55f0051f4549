"""What a reviewer asks of numbers over models: prediction, families, errors of measurement. Pure functions on arrays.

`harness.statistics` describes (a coefficient and its interval); here is inferred what can be concluded from it. No run,
no model, no I/O. Definitions and their sources: docs/statistics.md.
"""

from harness.inference.coupling import Coupling, coupling_null
from harness.inference.effective import EffectiveRobustness, effective_robustness
from harness.inference.influence import Influence, influence_of
from harness.inference.multiverse import Multiverse, Specification, multiverse_of
from harness.inference.partial import PartialCorrelation, partial_spearman
from harness.inference.power import Detectable, detectable
from harness.inference.reliability import (
    Ceiling,
    Reliability,
    ceiling,
    reliability_from_errors,
    spearman_brown,
    split_half,
    split_half_of_ratio,
)
from harness.inference.resampling import BcaInterval, bca_interval

__all__ = [
    "BcaInterval",
    "Ceiling",
    "Coupling",
    "Detectable",
    "EffectiveRobustness",
    "Influence",
    "Multiverse",
    "PartialCorrelation",
    "Reliability",
    "Specification",
    "bca_interval",
    "ceiling",
    "coupling_null",
    "detectable",
    "effective_robustness",
    "influence_of",
    "multiverse_of",
    "partial_spearman",
    "reliability_from_errors",
    "spearman_brown",
    "split_half",
    "split_half_of_ratio",
]

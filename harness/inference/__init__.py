"""What a reviewer asks of numbers over models: prediction, families, errors of measurement. Pure functions on arrays.

`harness.statistics` describes (a coefficient and its interval); here is inferred what can be concluded from it. No run,
no model, no I/O. Definitions and their sources: docs/statistics.md.
"""

from harness.inference.influence import Influence, influence_of
from harness.inference.partial import PartialCorrelation, partial_spearman
from harness.inference.power import Detectable, detectable

__all__ = [
    "Detectable",
    "Influence",
    "PartialCorrelation",
    "detectable",
    "influence_of",
    "partial_spearman",
]

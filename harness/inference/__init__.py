"""What a reviewer asks of numbers over models: prediction, families, errors of measurement. Pure functions on arrays.

`harness.statistics` describes (a coefficient and its interval); here is inferred what can be concluded from it. No run,
no model, no I/O. Definitions and their sources: docs/statistics.md.
"""

from harness.inference.baselines import ACCURACY, BASELINES, Score
from harness.inference.bca import BcaInterval, bca_interval
from harness.inference.blocks import DRAWS, BlockedTest, blocked_test
from harness.inference.coupling import Coupling, coupling_null
from harness.inference.effective import EffectiveRobustness, effective_robustness
from harness.inference.environments import (
    Environment,
    RobustSignError,
    SignErrors,
    hoeffding_weight,
    robust_sign_error,
    sign_error,
)
from harness.inference.families import WithinFamilies, within_families
from harness.inference.influence import Influence, influence_of
from harness.inference.intraclass import Intraclass, effective_pairs, intraclass
from harness.inference.left_out import PredictedModel
from harness.inference.multiverse import Multiverse, Specification, multiverse_of
from harness.inference.partial import PartialCorrelation, partial_spearman
from harness.inference.power import Detectable, detectable
from harness.inference.prediction import Chance, Null, Prediction, predictions
from harness.inference.reliability import (
    Ceiling,
    Reliability,
    ceiling,
    half_values,
    reliability_from_errors,
    reliability_from_halves,
    spearman_brown,
    split_half,
    split_half_of_ratio,
)
from harness.inference.resampling import FamilyIntervals, family_intervals
from harness.inference.signs import FamilySign, FamilySigns, family_signs

__all__ = [
    "ACCURACY",
    "BASELINES",
    "DRAWS",
    "BcaInterval",
    "BlockedTest",
    "Ceiling",
    "Chance",
    "Coupling",
    "Detectable",
    "EffectiveRobustness",
    "Environment",
    "FamilyIntervals",
    "FamilySign",
    "FamilySigns",
    "Influence",
    "Intraclass",
    "Multiverse",
    "Null",
    "PartialCorrelation",
    "PredictedModel",
    "Prediction",
    "Reliability",
    "RobustSignError",
    "Score",
    "SignErrors",
    "Specification",
    "WithinFamilies",
    "bca_interval",
    "blocked_test",
    "ceiling",
    "coupling_null",
    "detectable",
    "effective_pairs",
    "effective_robustness",
    "family_intervals",
    "family_signs",
    "half_values",
    "hoeffding_weight",
    "influence_of",
    "intraclass",
    "multiverse_of",
    "partial_spearman",
    "predictions",
    "reliability_from_errors",
    "reliability_from_halves",
    "robust_sign_error",
    "sign_error",
    "spearman_brown",
    "split_half",
    "split_half_of_ratio",
    "within_families",
]

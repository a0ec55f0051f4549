"""What a reviewer asks of numbers over models: prediction, families, errors of measurement. Pure functions on arrays.

`harness.statistics` describes (a coefficient and its interval); here is inferred what can be concluded from it. No run,
no model, no I/O. Definitions and their sources: docs/statistics.md.
"""

from harness.inference.baselines import ACCURACY, BASELINES, Score
from harness.inference.prediction import Chance, Null, Prediction, predictions

__all__ = ["ACCURACY", "BASELINES", "Chance", "Null", "Prediction", "Score", "predictions"]

"""What a reviewer asks of numbers over models: prediction, families, errors of measurement. Pure functions on arrays.

`harness.statistics` describes (a coefficient and its interval); here is inferred what can be concluded from it. No run,
no model, no I/O. Definitions and their sources: docs/statistics.md.
"""

from harness.inference.blocks import BlockedTest, blocked_test
from harness.inference.families import WithinFamilies, within_families
from harness.inference.intraclass import Intraclass, effective_pairs, intraclass
from harness.inference.resampling import FamilyIntervals, family_intervals
from harness.inference.signs import FamilySign, FamilySigns, family_signs

__all__ = [
    "BlockedTest",
    "FamilyIntervals",
    "FamilySign",
    "FamilySigns",
    "Intraclass",
    "WithinFamilies",
    "blocked_test",
    "effective_pairs",
    "family_intervals",
    "family_signs",
    "intraclass",
    "within_families",
]

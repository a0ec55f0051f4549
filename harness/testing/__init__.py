"""Contract checks for plugin authors: call them from your own tests.

    from harness.testing import check_probe

    def test_contract():
        check_probe(InvertColours())

Each raises AssertionError that names the violated requirement. Imports `interfaces`, `records` and `data`.
"""

from harness.testing.data import check_dataset, check_label_space, check_model_source
from harness.testing.fingerprints import check_fingerprint, fingerprint_of, projections
from harness.testing.made import CLASSES, SmallClassifier, make_batch, make_trials, part
from harness.testing.probes import arrays_of, check_measures, check_probe, stimuli_of

__all__ = [
    "CLASSES",
    "SmallClassifier",
    "arrays_of",
    "check_dataset",
    "check_fingerprint",
    "check_label_space",
    "check_measures",
    "check_model_source",
    "check_probe",
    "fingerprint_of",
    "make_batch",
    "make_trials",
    "part",
    "projections",
    "stimuli_of",
]

"""The former name of `harness.plugins.models._zoo`, which scripts import for its weights and its architecture."""

import sys
import warnings

import harness.plugins.models._zoo as zoo

warnings.warn("harness.plugins.zoo is now harness.plugins.models._zoo", DeprecationWarning, stacklevel=2)
sys.modules[__name__] = zoo

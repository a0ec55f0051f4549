"""From stored runs to a study: measures recomputed from trials, biases and axes, errata, comparisons.

Imports `store` and `records`; never `planning` or `engine`, so that a run can be read where nothing could be run.
"""

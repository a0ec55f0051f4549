"""The commands as functions: only these modules define the order of their steps.

The command line, benchmarks, tests and notebooks call `run`, `study` (open, report), `compare` and `importing`.
`options` has the checks that several of them share, `display` the displays of a run's progress. Modules import torch,
pandas and h5py inside their functions, so that planning a run needs none of them.
"""

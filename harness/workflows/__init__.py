"""What the commands do, as functions: the order of each is written here and nowhere else.

`run`, `study` (open, report), `compare` and `importing` are called by the command line, the benchmarks, the tests and
notebooks alike. `options` holds what several of them check, `display` who watches a run. Modules import torch, pandas
and h5py inside their functions, so that planning a run needs none of them.
"""

"""The run folder: immutable shards and one index file. Whole at every moment, readable while it grows.

`run` is the writing side and the public class, `reading` the reading side, `run_folder` lock and manifest, `cells` one
model on one task, `verification` what `harness verify` checks, `export` plain copies. `hdf5` (shards) and `index`
(layouts, index) are the file format and alone import h5py; `files` replaces files atomically.
"""

from harness.store.cells import StoredCell
from harness.store.export import export_run, left_out
from harness.store.run import Run, read_trials

__all__ = ["Run", "StoredCell", "export_run", "left_out", "read_trials"]

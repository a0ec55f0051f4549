"""The run folder: immutable shards and one index file. Consistent at every moment, readable while it grows.

`writer` and `reader` are the two sides, `run_record` the lock and ``run.json``, `cells` one model on one task, `verify`
what `harness verify` checks, `export` plain copies. `shards`, `layout`, `index` and `plain` define the file
format; only these import h5py. Imports `records` and `local`; other rooms import the names below only.
"""

from harness.store.cells import StoredCell
from harness.store.digests import trials_digest
from harness.store.export import export_run, left_out, trials_frame
from harness.store.imported import store_table
from harness.store.layout import RESERVED, check_layout, layout_digest
from harness.store.outputs import refuse_inside
from harness.store.reader import RunReader, read_trials
from harness.store.run_record import INDEX, refuse_locked, refuse_occupied, refuse_unfit
from harness.store.sound import Cells, cells_of, is_complete
from harness.store.verify import verify_run
from harness.store.writer import RunWriter

__all__ = [
    "INDEX",
    "RESERVED",
    "Cells",
    "RunReader",
    "RunWriter",
    "StoredCell",
    "cells_of",
    "check_layout",
    "export_run",
    "is_complete",
    "layout_digest",
    "left_out",
    "read_trials",
    "refuse_inside",
    "refuse_locked",
    "refuse_occupied",
    "refuse_unfit",
    "store_table",
    "trials_digest",
    "trials_frame",
    "verify_run",
]

"""From a request to a plan, before the first forward: names, data, checkpoints, costs, and what is missing.

Imports `registry`, `data`, `checkpoints` and the names of `store`; never torch.
"""

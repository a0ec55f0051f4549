"""From a registry entry to the right file: where it is, how it is read, what its digest must be.

Imports `records` and `local`; torch only inside functions.
"""

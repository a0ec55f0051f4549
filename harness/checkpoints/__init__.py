"""From a registry entry to the right file: where it lies, how it is read, what it must be.

Imports `records` and `local`; torch only inside functions.
"""

"""Finds plugins, and checks what they promise: built-ins, ``--plugins DIR`` and installed packages, all the same way.

Imports `interfaces` and `hookspecs`.
"""

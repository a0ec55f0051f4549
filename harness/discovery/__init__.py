"""Finds plugins and checks their contract: built-ins, ``--plugins DIR`` and installed packages, all in the same way.

Imports `interfaces` and `hookspecs`.
"""

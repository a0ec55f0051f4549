"""This machine's disk: caches, files that appear whole, digests of files, versions and revision.

Imports `errors` alone.
"""

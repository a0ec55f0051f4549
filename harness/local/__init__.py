"""This machine's disk: caches, atomic writing, digests of files, versions and revision.

Imports only `errors`.
"""

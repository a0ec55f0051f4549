"""A dataset on this disk: its folder, its samples and their digest, its pixels.

Imports `interfaces`, `records` and `local`; knows no particular dataset.
"""

"""Tables and figures as text and files, each format's escaping in one place.

Imports `records` alone.
"""

"""Plugins of this repository: they use the door of `harness.hookspecs`, as those of third parties do.

One folder for each kind; the core finds what is in them and knows none by name. A plugin imports the public names of
`harness`, and siblings by relative import. A file or folder whose name begins with `_` is a helper.
"""

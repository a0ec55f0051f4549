"""Plugins of this repository: they use the hooks of `harness.hookspecs`, as third-party plugins do.

One folder for each kind; the core discovers plugins there and refers to none by name. A plugin imports the public names
of `harness`, and siblings by relative import. A file or folder whose name begins with `_` is a helper.
"""

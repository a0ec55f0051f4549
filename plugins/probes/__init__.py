"""Probes: each makes stimuli under named conditions, and reduces stored trials to measures.

The smallest is docs/examples/invert_colours.py, then `shape_bias`; `band_pass` is a typical one. Each file covers one
phenomenon and cites its paper in the docstring.
"""

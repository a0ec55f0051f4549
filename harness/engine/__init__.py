"""Executes a plan: images, stimuli, forwards, decisions. The only room of the core that drives torch.

Imports the records of `planning`, `data`, `checkpoints` and `store`.
"""

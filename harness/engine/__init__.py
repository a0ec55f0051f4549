"""Executes a plan: images, stimuli, forwards, decisions. The only folder of the core that uses torch.

Imports the records of `planning`, `data`, `checkpoints` and `store`.
"""

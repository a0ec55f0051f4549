"""Model sources: each turns a registry entry into a network, images in [0, 1] → logits.

The smallest is `dummy`. `_weights` loads checkpoints, `_architectures` builds networks; `_zoo/` has the small networks
of the suite `quickstart` and their training.
"""

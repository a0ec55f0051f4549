"""Model sources: each turns a registry entry into a network, images in [0, 1] → logits.

The smallest is `dummy`. `_weights` reads checkpoints, `_architectures` builds what they fit; `_zoo/` holds the small
networks of the suite `quickstart` and their training.
"""

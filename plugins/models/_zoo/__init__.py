"""The zoo of the suite `quickstart`: small networks of one architecture, trained on the synthetic world `shapes`.

`network` says what they are, `weights/` holds them with their logs, and `training/` trains them, or one more with a
recipe of one's own. Imports the public names of `harness`, and the shapes of `datasets/shapes` for training.
"""

"""The zoo of the suite `quickstart`: small networks of one architecture, trained on the synthetic world `shapes`.

`network` is their architecture, `weights/` has the weights and training logs, and `training/` trains them, or further
networks from your own recipes. Imports the public names of `harness`, and `datasets/shapes` for training.
"""

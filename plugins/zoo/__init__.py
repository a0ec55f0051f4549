"""The zoo of the suite `quickstart`: small networks of one architecture, trained on the synthetic world `shapes`.

`network` says what they are, `recipes.yaml` how each was trained, `weights/` holds them with their logs;
``python -m harness.plugins.zoo`` trains them, or one more with a recipe of one's own.
"""

"""Trains networks of the zoo: ``python -m harness.plugins.models._zoo.training``; `recipes.yaml` has their recipes.

Imports the network and the synthetic world; only its own command imports this package.
"""

"""Trains networks of the zoo: ``python -m harness.plugins.models._zoo.training``; `recipes.yaml` says how each one was.

Imports the network itself and the synthetic world; nothing imports this but its own command.
"""

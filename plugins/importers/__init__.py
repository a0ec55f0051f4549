"""Importers: each reads published results, which become read-only runs. The smallest is `model_vs_human`."""

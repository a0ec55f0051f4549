"""Importers: readers of published results, which become read-only runs. The smallest is `model_vs_human`."""

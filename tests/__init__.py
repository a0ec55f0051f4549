"""Tests: `harness/` and `plugins/` mirror the two trees, `system/` runs the whole, `helpers/` serves them all."""

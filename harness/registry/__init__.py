"""registry.yaml files -> one read-only Registry; every mistake names its file and line.

`yaml_nodes` is the only module that knows YAML, `schema` what an entry may say, `mistakes` how a mistake is worded,
`registry` the look-ups.
"""

from harness.registry.registry import Registry, built_in_registry, load_registry

__all__ = ["Registry", "built_in_registry", "load_registry"]

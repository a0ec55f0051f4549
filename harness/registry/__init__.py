"""registry.yaml files -> one read-only Registry; every mistake names its file and line.

`yaml_nodes` is the only module that knows YAML, `schema` defines the keys of an entry, `mistakes`
words the errors, `registry` answers look-ups.
"""

from harness.registry.registry import Registry, built_in_registry, load_registry

__all__ = ["Registry", "built_in_registry", "load_registry"]

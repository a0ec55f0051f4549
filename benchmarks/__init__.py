"""Side-by-side speed measurements that anyone can rerun: ``python -m benchmarks``."""

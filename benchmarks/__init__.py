"""Benchmarks: how fast the hub is, beside what anybody would write and beside a server that does nothing (docs/benchmarks.md)."""

"""Verdicts: what has to hold whatever the times are."""

from collections.abc import Mapping


def all_hold(checks: Mapping[str, bool]) -> bool:
    """Print what was to hold and whether it does; return whether all of it does."""
    for text, holds in checks.items():
        print(f"{'ok    ' if holds else 'WRONG '} {text}")
    return all(checks.values())

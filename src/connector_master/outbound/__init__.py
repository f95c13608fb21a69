"""Calls to others: the one HTTP client, with its guard on addresses."""

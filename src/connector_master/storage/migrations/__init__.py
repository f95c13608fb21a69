"""Alembic's environment and revisions; migrate.py runs them."""

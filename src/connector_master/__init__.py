"""Connector Master: leads from every source, received, cleaned, deduplicated and delivered, none lost."""

__version__ = "0.1.0"

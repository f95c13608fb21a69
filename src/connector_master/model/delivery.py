"""A delivery: one lead on its way to one destination, why it goes there, and how far it is."""

from enum import StrEnum


class DeliveryStatus(StrEnum):
    """How far a delivery is (API.md "Leads, events and the rest")."""

    QUEUED = "queued"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    DEAD = "dead"


class Occasion(StrEnum):
    """Why a lead is delivered: the `type` that its receiver reads."""

    CREATED = "lead.created"
    UPDATED = "lead.updated"
    ERASED = "lead.erased"
    TEST = "lead.test"

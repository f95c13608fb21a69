"""Deduplication: the key by which two records are the same person's."""

import hashlib
from collections.abc import Sequence

from connector_master.model.lead import LEAD_FIELDS, LeadDraft


def deduplication_key(draft: LeadDraft, fields: Sequence[str] = ("phoneNumber",)) -> str:
    """Return the draft's key: its phone in E.164, then a digest of the further `fields` that a policy names.

    Further fields are compared without regard to case and blanks; an empty one counts as empty, not as anything.

    >>> deduplication_key(LeadDraft(phone_number="+919876543210"))
    '+919876543210'
    """
    further = [field for field in fields if field != "phoneNumber"]
    if not further:
        return draft.phone_number
    parts = [f"{field}={_folded(getattr(draft, LEAD_FIELDS[field]))}" for field in sorted(set(further))]
    return f"{draft.phone_number}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def _folded(value: object) -> str:
    return "" if value is None else " ".join(str(value).casefold().split())

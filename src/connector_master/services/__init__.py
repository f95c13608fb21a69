"""Use cases shared by API and pages: one function is one transaction and one line in the activity log."""

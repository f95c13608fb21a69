"""Who may call us: passwords, API keys, roles, the one table of permissions."""

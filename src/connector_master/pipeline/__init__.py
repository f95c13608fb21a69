"""What happens to a record between its source and the database: pure functions, no I/O (DESIGN.md, Modules)."""

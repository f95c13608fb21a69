"""How records come in: bodies read, pushes received, pulls run, batches committed."""

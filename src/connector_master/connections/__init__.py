"""How we may call providers: sealing, the key ring, OAuth."""

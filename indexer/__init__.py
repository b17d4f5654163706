"""Files to store."""

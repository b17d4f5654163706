"""Media in, vectors out."""

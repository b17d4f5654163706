"""The floor: what a library keeps, on disk and in memory."""

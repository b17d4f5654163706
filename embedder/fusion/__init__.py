"""Fusion: specialists trained apart become one backbone. Pure functions on state dicts; nothing is written."""

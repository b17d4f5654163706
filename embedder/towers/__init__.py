"""Frozen networks that others trained, each behind a few plain functions of numpy arrays."""

"""omnia-mini: one backbone that reads words, what a vision tower sees and what a sound tower hears."""

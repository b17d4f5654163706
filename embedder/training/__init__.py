"""Training: pairs of media and words in, specialists and the fused model out. Nothing here is needed to search."""

"""Training: pairs of media and words in, specialists and the fused model out. Nothing here is needed to search."""

import os

# Before CUDA multiplies its first matrices: with a workspace of a fixed size they are summed in a fixed order.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

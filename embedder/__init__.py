"""Media in, vectors out."""

import os

# Before torch loads, which reads it: OpenMP's threads spin while they wait, and two processes side by side, an ingest
# and the page, then take 1.7 times as long as without (LOG.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

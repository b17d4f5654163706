"""What a bench tells, and how much of everything it takes."""

from __future__ import annotations

from dataclasses import dataclass

MODEL = "omnia-mini"
STORE_LIMIT_MS = 50.0


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement; the peer is what it is held against."""

    name: str
    value: float
    unit: str
    peer_name: str
    peer: float

    def __str__(self) -> str:
        peer = f"{self.peer_name} {self.peer:,.4g}"
        return f"{self.name:<44} {self.value:>10,.4g} {self.unit:<8} {peer:<34} ratio {self.value / self.peer:.3g}"


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    pictures: int
    rescanned: int
    segments: int
    queries: int
    beside: int

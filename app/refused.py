"""Refused: what the API says when it has no answer."""

from __future__ import annotations

from pydantic import BaseModel


class Refused(BaseModel):
    """Why a question has no answer, one line with the next step."""

    error: str

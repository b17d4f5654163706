"""What the owner of a library and its guests say to each other: frames, proofs and the address file.

A frame is a little-endian uint32 length, that many bytes of JSON, then raw little-endian float32.
The token never travels: each side proves with an HMAC that it has read the address file.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import StoreUnavailableError
from data.records import Evidence, Kind
from data.vectors import Where

WIRE_VERSION = 4
NONCE_HEADER = "x-omnia-nonce"
PROOF_HEADER = "x-omnia-proof"
ADDRESS_FILE = "owner.json"

Header = dict[str, Any]
Floats = NDArray[np.float32]
_LENGTH = struct.Struct("<I")


class OwnerGoneError(StoreUnavailableError):
    """The owner cannot be reached, or is not the owner any more: look again who is."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: a JSON header beside floats of any count; the header says their shape."""

    header: Header
    floats: Floats = field(default_factory=lambda: np.empty(0, dtype=np.float32))

    def pack(self) -> bytes:
        header = json.dumps(self.header, separators=(",", ":")).encode()
        floats = np.ascontiguousarray(self.floats, dtype="<f4")
        return b"".join((_LENGTH.pack(len(header)), header, floats.tobytes()))

    @classmethod
    def unpack(cls, body: bytes) -> Frame:
        """Read what `pack` wrote.

        Raises:
            ValueError: the body is not a frame.
        """
        try:
            (length,) = _LENGTH.unpack_from(body)
        except struct.error as error:
            raise ValueError("too short for a frame") from error
        header = json.loads(body[_LENGTH.size : _LENGTH.size + length])
        if not isinstance(header, dict):
            raise ValueError("the header of a frame is not an object")
        floats = np.frombuffer(body, dtype="<f4", offset=_LENGTH.size + length)
        return cls(header, floats.astype(np.float32, copy=False))


@dataclass(frozen=True, slots=True)
class Address:
    """Where the owner listens on 127.0.0.1, and the secret that proves it is the owner."""

    pid: int
    port: int
    token: str = field(repr=False)

    def write(self, home: Path) -> None:
        """Publish the address for this user only: mode 0600 from the first byte, complete or absent."""
        unfinished = home / f"{ADDRESS_FILE}.{self.pid}.new"
        unfinished.unlink(missing_ok=True)
        body = {"wire": WIRE_VERSION, "pid": self.pid, "port": self.port, "token": self.token}
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(body, file)
        unfinished.replace(home / ADDRESS_FILE)

    @classmethod
    def read(cls, home: Path) -> Address | None:
        """The published address, or None when there is none or it is damaged.

        Raises:
            OwnerGoneError: who wrote it speaks another version of the wire; it may have ended long ago.
        """
        try:
            body = json.loads((home / ADDRESS_FILE).read_text())
            address = cls(pid=int(body["pid"]), port=int(body["port"]), token=str(body["token"]))
            version = body.get("wire")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if version != WIRE_VERSION:
            raise OwnerGoneError(f"process {address.pid} runs another version of Omnia")
        return address if 0 < address.port < 65536 else None


def new_token() -> str:
    """A fresh secret of 256 bits."""
    return secrets.token_hex(32)


def ask_proof(token: str, *, operation: str, nonce: str) -> str:
    """What a guest shows to be answered."""
    return _mac(token, f"ask {operation} {nonce}")


def answer_proof(token: str, *, nonce: str) -> str:
    """What the owner shows to be believed: another program on a reused port cannot."""
    return _mac(token, f"answer {nonce}")


def same_proof(given: str, expected: str) -> bool:
    """Compare two proofs in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def where_to_json(where: Where) -> Header:
    """A filter as JSON."""
    return {
        "kinds": None if where.kinds is None else sorted(where.kinds),
        "evidence": None if where.evidence is None else sorted(where.evidence),
        "contents": None if where.contents is None else sorted(where.contents),
        "languages": None if where.languages is None else sorted(where.languages),
        "phrases": where.phrases,
        "without": where.without,
    }


def where_from_json(body: Mapping[str, Any]) -> Where:
    """The filter that `where_to_json` wrote."""
    kinds, evidence, contents, languages = (body[name] for name in ("kinds", "evidence", "contents", "languages"))
    return Where(
        kinds=None if kinds is None else frozenset(Kind(kind) for kind in kinds),
        evidence=None if evidence is None else frozenset(Evidence(one) for one in evidence),
        contents=None if contents is None else frozenset(contents),
        languages=None if languages is None else frozenset(languages),
        phrases=tuple(body["phrases"]),
        without=tuple(body["without"]),
    )


def _mac(token: str, text: str) -> str:
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()

"""Device: where a model computes, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from data.errors import BadSettingsError


@dataclass(frozen=True, slots=True)
class Device:
    """A torch device by name, such as "cpu" or "cuda:0", and whether it computes bf16 natively."""

    name: str
    bf16: bool


def pick_device(wanted: str) -> Device:
    """The device a person asked for; "auto" takes cuda, then mps, then the cpu.

    Raises:
        BadSettingsError: unknown, or not on this machine.
    """
    kind, _, number = wanted.partition(":")
    if wanted == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind == "cuda" and (number.isdecimal() or ":" not in wanted):
        return _cuda(wanted, int(number or 0))
    if kind == "mps" and not number:
        if not torch.backends.mps.is_available():
            raise BadSettingsError("device 'mps' is not on this machine; use --device cpu or auto")
        return Device("mps", bf16=False)
    if kind == "cpu" and not number:
        return Device("cpu", bf16=_cpu_has_bf16())
    raise BadSettingsError(f"device {wanted!r} is unknown; use auto, cpu, cuda, cuda:N or mps")


def _cuda(wanted: str, index: int) -> Device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index >= count:
        there = f"it has {count} CUDA devices, counted from 0" if count else "it has no CUDA device"
        raise BadSettingsError(f"device {wanted!r} is not on this machine: {there}; use --device cpu or auto")
    major, _ = torch.cuda.get_device_capability(index)
    return Device(f"cuda:{index}", bf16=major >= 8)


def _cpu_has_bf16() -> bool:
    """Whether bf16 is faster than fp32: with AMX's tiles, and with the dot products of AVX-512 on AMD's processors.

    On Intel's without AMX fp32 is faster; LOG.md has the figures.
    """
    can = torch.cpu.get_capabilities()
    return bool(can.get("amx_bf16") or (can.get("avx512_bf16") and str(can.get("cpu_name")).startswith("AMD")))

"""Imports PyAV, or says how to install it."""

from __future__ import annotations

from ..errors import MissingDependencyError

try:
    import av
    from av import stream as streams
    from av.stream import Disposition
except ImportError as error:
    raise MissingDependencyError(
        f"The Python package 'av' (PyAV), which reads and writes video, cannot be loaded: {error}.",
        remedy="Install it into ComfyUI's Python with 'pip install av', then restart ComfyUI.",
    ) from error

# What FFmpeg does with the packets of a stream; None where PyAV is too old to say it.
Discard = getattr(streams, "Discard", None)

__all__ = ["Discard", "Disposition", "av"]

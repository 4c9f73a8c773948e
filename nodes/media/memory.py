"""How much memory frames need, and how much this machine, or the container it runs in, has left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ..errors import NotEnoughRoomError

if TYPE_CHECKING:
    from collections.abc import Iterator

GIB = 1024**3
WAYS_OUT = (
    "Turn 'decode_frames' off (video and sound are still delivered), raise 'select_every_nth', "
    "set 'frame_load_cap', or free memory."
)
_BYTES_PER_PIXEL = 3 * 4  # red, green, blue as float32
_HEADROOM_BYTES = 256 * 1024**2  # the decoder's own pictures, the sound, and room to breathe
_NO_LIMIT = 1 << 60  # control groups without a limit say "max" or a number near 2**63


def frames_bytes(width: int, height: int, frame_count: int) -> int:
    """Return the size of a float32 tensor [frame_count, height, width, 3]."""
    return width * height * frame_count * _BYTES_PER_PIXEL


def check_room(
    needed_bytes: int,
    *,
    refusal: str = "The frames need {needed} GiB of memory, but only {free} GiB are free.",
    available: int | None = None,
    money: str | None = None,
    remedy: str = WAYS_OUT,
) -> None:
    """Make sure that `needed_bytes` fit into memory.

    Args:
        needed_bytes: For frames see `frames_bytes`; for a batch, the sum.
        refusal: What a refusal says; `{needed}` and `{free}` are filled in.
        available: Free bytes; asked of the machine by default.
        money: What a refusal means for the money; by default that nothing was sent.
        remedy: What a refusal recommends.

    Raises:
        NotEnoughRoomError: They do not fit.
    """
    free_bytes = available_bytes() if available is None else available
    if needed_bytes + _HEADROOM_BYTES > free_bytes:
        raise NotEnoughRoomError(
            refusal.format(needed=f"{needed_bytes / GIB:.1f}", free=f"{max(free_bytes, 0) / GIB:.1f}"),
            money=money,
            remedy=remedy,
        )


def available_bytes(*, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the bytes that can be had without swapping and without being killed for it."""
    machine = _linux_available(proc) or int(psutil.virtual_memory().available)
    return min([machine, *_control_group_rooms(proc, cgroup)])


def _linux_available(proc: Path) -> int | None:
    for line in _text(proc / "meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _control_group_rooms(proc: Path, cgroup: Path) -> Iterator[int]:
    """Yield what is left of every limit on the way from this process's control group to the root."""
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, limit, usage, reclaimable = cgroup, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, limit, usage = cgroup / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            reclaimable = "total_inactive_file"
        else:
            continue
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            most = _text(folder / limit).strip()
            if most.isdigit() and int(most) < _NO_LIMIT:
                used = int(_text(folder / usage) or 0)
                yield int(most) - used + _statistic(folder / "memory.stat", reclaimable)
            if folder == root:
                break


def _statistic(path: Path, name: str) -> int:
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _text(path: Path) -> str:
    """Return what the kernel says there, or nothing: which of these files exist depends on the system."""
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""

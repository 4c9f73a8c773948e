"""How much memory frames need, and how much this machine, or the container it runs in, has left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ..errors import NotEnoughRoomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@dataclass(frozen=True, slots=True)
class WantedFrames:
    """The frames that a graph gets of one clip or of several that are alike.

    Attributes:
        width: Pixels.
        height: Pixels.
        all_frames: How many the clip has.
        select_every_nth: The first of every n frames is wanted.
        frame_load_cap: At most this many are wanted; 0 for all.
        clips: How many clips.
    """

    width: int
    height: int
    all_frames: int
    select_every_nth: int = 1
    frame_load_cap: int = 0
    clips: int = 1

    @property
    def needed_bytes(self) -> int:
        """What they take in memory."""
        count = -(-self.all_frames // self.select_every_nth)
        if self.frame_load_cap:
            count = min(count, self.frame_load_cap)
        return count * self._bytes_each

    def ways_out(self, room_bytes: int) -> str:
        """Say what fits into `room_bytes`, where they do not: each of the ways named is enough by itself."""
        most = room_bytes // self._bytes_each
        if most < 1:
            return WAYS_OUT
        return (
            f"Set 'frame_load_cap' to {most} or less, or raise 'select_every_nth' to {-(-self.all_frames // most)} or more. "
            "Or turn 'decode_frames' off (video and sound are still delivered), or free memory."
        )

    @property
    def _bytes_each(self) -> int:
        return self.clips * frames_bytes(self.width, self.height, 1)


def check_frames(wanted: WantedFrames) -> None:
    """Make sure that frames fit into memory, before anything is sent.

    Raises:
        NotEnoughRoomError: They do not fit.
    """
    check_room(wanted.needed_bytes, remedy=wanted.ways_out)


def check_room(
    needed_bytes: int,
    *,
    refusal: str = "The frames need {needed} GiB of memory, but only {free} GiB are free.",
    available: int | None = None,
    money: str | None = None,
    remedy: str | Callable[[int], str] = WAYS_OUT,
) -> None:
    """Make sure that `needed_bytes` fit into memory.

    Args:
        needed_bytes: For frames see `frames_bytes`; for a batch, the sum.
        refusal: What a refusal says; `{needed}` and `{free}` are filled in.
        available: Free bytes; asked of the machine by default.
        money: What a refusal means for the money; by default that nothing was sent.
        remedy: What a refusal recommends, or what says it of the bytes that there is room for.

    Raises:
        NotEnoughRoomError: They do not fit.
    """
    free_bytes = available_bytes() if available is None else available
    room_bytes = free_bytes - _HEADROOM_BYTES
    if needed_bytes > room_bytes:
        raise NotEnoughRoomError(
            refusal.format(needed=f"{needed_bytes / GIB:.1f}", free=f"{max(free_bytes, 0) / GIB:.1f}"),
            money=money,
            remedy=remedy if isinstance(remedy, str) else remedy(room_bytes),
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

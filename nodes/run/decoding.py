"""When clips become frames: one at a time, and where their files allow it, while they are still being downloaded."""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ..errors import Stopped
from ..runcomfy import Run, Slots, StopSignal
from ..runcomfy.progress import Decoding
from .inputs import FrameChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..media.arriving import ArrivingFile, EarlyFrames
    from ..media.decode import DecodedClip

# Frames are made for one clip at a time: decoding uses every core by itself, and memory is counted once.
_DECODING = Slots(lambda: 1)
_MOST_ARRIVING_BYTES = 256 * 1024**2  # they are kept in memory until the file is whole
_LOOK_INTERVAL_S = 0.05
_arriving: set[_Early] = set()  # who holds the slot, if its clip was still to come
_waiting: set[StopSignal] = set()  # for the slot, with a whole clip
logger = logging.getLogger("runcomfy.sora2pro.decoding")


class Decoder:
    """Makes frames of a clip as one run wants them; a context, at whose end nothing is being decoded any more.

    What is downloaded in `run` is decoded while it arrives, and nothing depends on that: the frames are used if the file
    that came is the very same, and made again if not.

    Args:
        choice: Which frames.
        run: Ends and watches it.

    Attributes:
        choice: Which frames.
        run: What is to be given to whoever may download the clip.
    """

    def __init__(self, choice: FrameChoice, run: Run) -> None:
        self.choice = choice
        self.run = replace(run, arrived=self._arrived)
        self._early: _Early | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what is still being decoded."""
        with self._lock:
            self._is_over = True
            early, self._early = self._early, None
        if early is not None:
            early.end()

    def decode(self, path: Path) -> DecodedClip:
        """What is wanted of a clip on this disk.

        Raises:
            VideoDecodeError: It cannot be decoded.
            NotEnoughRoomError: Its frames do not fit into memory.
            Stopped: The run was asked to end.
        """
        with self._lock:
            self._is_over = True
        frames = None
        if self._early is not None:
            frames = self._early.frames(self.run)
            self._early = None  # its bytes are let go, so that there is room for the frames
        return self._decode(path, self.choice, frames)

    def decode_sound(self, path: Path) -> DecodedClip:
        """All of the sound of a clip on this disk; raises as `decode` does."""
        return self._decode(path, FrameChoice(decode_frames=False), None)

    def _decode(self, path: Path, choice: FrameChoice, early: EarlyFrames | None) -> DecodedClip:
        from ..media.decode import decode  # noqa: PLC0415 - PyAV is loaded when a node runs

        with _turn(self.run.stop, lambda: True):
            return decode(
                path,
                select_every_nth=choice.select_every_nth,
                frame_load_cap=choice.frame_load_cap,
                with_frames=choice.decode_frames,
                early=early,
                progress=lambda done, total: self.run.report(Decoding(done, total)),
                checkpoint=self.run.stop.check,
            )

    def _arrived(self, place: int, piece: bytes, total_bytes: int | None) -> None:
        # The thread of a transfer that is broken off may bring its last piece when nobody waits for the clip any more.
        with self._lock:
            if not self._is_over:
                self._add(place, piece, total_bytes)

    def _add(self, place: int, piece: bytes, total_bytes: int | None) -> None:
        is_beginning = self._early is None and place == 0 and self.choice.decode_frames
        if is_beginning and total_bytes is not None and total_bytes <= _MOST_ARRIVING_BYTES:
            try:
                self._early = _Early(total_bytes, self.choice)
            except Exception as error:  # noqa: BLE001 - no memory, no thread, no OpenCV: the clip is to arrive all the same
                logger.debug("A clip is not decoded while it arrives: %s", error)
        if self._early is not None:
            self._early.file.add(place, piece)


class _Early:
    """A clip that is decoded, in a thread of its own, while it arrives."""

    def __init__(self, total_bytes: int, choice: FrameChoice) -> None:
        from ..media.arriving import ArrivingFile  # noqa: PLC0415 - PyAV is loaded when a node runs
        from ..media.memory import check_room  # noqa: PLC0415 - as above

        check_room(total_bytes)
        self.file: ArrivingFile = ArrivingFile(total_bytes)
        self._choice = choice
        self._stop = StopSignal()
        self._progress = Decoding(0, 0)
        self._frames: EarlyFrames | None = None
        self._thread = threading.Thread(target=self._decode, name="sora2pro-early", daemon=True)
        self._thread.start()

    def give_way(self) -> None:
        """End it unless its file is whole: somebody waits whose clip is there, and the network may be slow."""
        if not self.file.is_whole:
            self._give_up()

    def end(self) -> None:
        """End it."""
        self._give_up()
        self._thread.join()

    def frames(self, run: Run) -> EarlyFrames | None:
        """The frames as soon as they are made; None if they were not."""
        self.give_way()  # the storage may have said that the file is longer than it is
        while self._thread.is_alive():
            run.stop.check()
            if self._progress.total_frames:
                run.report(self._progress)
            self._thread.join(_LOOK_INTERVAL_S)
        return self._frames

    def _give_up(self) -> None:
        self._stop.set(cancels_remotely=False)
        self.file.give_up()

    def _decode(self) -> None:
        from ..media.arriving import decode_early  # noqa: PLC0415 - as above

        with contextlib.suppress(Stopped), _turn(self._stop, lambda: self.file.is_whole):
            _arriving.add(self)
            try:
                self._frames = decode_early(
                    self.file,
                    select_every_nth=self._choice.select_every_nth,
                    frame_load_cap=self._choice.frame_load_cap,
                    progress=self._show,
                    checkpoint=self._stop.check,
                )
            except Exception as error:  # noqa: BLE001 - nothing about the file is certain; once it is whole, it is told what is wrong
                logger.debug("A clip is not decoded while it arrives: %s", error)
            finally:
                _arriving.discard(self)

    def _show(self, done: int, total: int) -> None:
        self._progress = Decoding(done, total)


@contextlib.contextmanager
def _turn(stop: StopSignal, is_whole: Callable[[], bool]) -> Iterator[None]:
    """Hold the slot. Whole clips go first: the one that is still arriving gives way to them, and none takes its place."""

    def wait() -> None:
        if is_whole():
            _waiting.add(stop)
            for early in list(_arriving):
                early.give_way()

    try:
        with _DECODING.held(stop, wait, may_take=lambda: is_whole() or not _waiting):
            _waiting.discard(stop)
            yield
    finally:
        _waiting.discard(stop)

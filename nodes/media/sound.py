"""The sound of a clip, in step with its pictures. What cannot be read is replaced by silence, and reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from .container import pass_over_others, sound_stream
from .mp4.index import SOUND
from .pyav import av
from .timeline import MAX_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from numpy.typing import NDArray

    from .mp4.index import Index, Track
    from .timeline import Timeline

_SILENCE_RATE = 48000
_SILENCE_CHANNELS = 2
_MOST_CHANNELS = 8  # ComfyUI and its nodes know no more; clips with more are mixed down to two
_MOST_READ_CHANNELS = 64
_CODECS_WITHOUT_LAYOUT = ("pcm_", "adpcm_")  # FFmpeg's names
_MOST_RATE = 768_000
_SLACK_S = 0.1  # between the length in the index and the sound that comes out: a frame or two of padding
_FAILURES = (av.FFmpegError, ValueError)


def read_sound(
    container: InputContainer,
    index: Index,
    timeline: Timeline,
    end_s: float | None,
    checkpoint: Callable[[], None],
) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return ComfyUI's AUDIO, and a sentence for each part that could not be read.

    AUDIO is {"waveform": float32 [1, channels, samples], "sample_rate": Hz}. Its first sample belongs to the beginning of
    the first frame, and it is never shorter than the frames: what is missing is silence.

    Args:
        container: The clip, at its beginning.
        index: What its index says.
        timeline: When its frames are shown and its sound is over.
        end_s: Where to cut the sound off; None for all of it.
        checkpoint: Called per packet; may raise.
    """
    reading = _Reading(timeline, end_s)
    stream = sound_stream(container)
    track = None if stream is None else index.track(SOUND, stream.id)
    if stream is None or not timeline.has_sound:
        # `sound_fault` without a stream: there is a track, and FFmpeg cannot make anything of it.
        return reading.silence(), (_UNREADABLE,) if timeline.sound_fault else ()
    if track is not None and track.is_encrypted:
        return reading.silence(), ("The sound of the clip is encrypted and is silent.",)
    if stream.codec_context is None:
        name = f"in the format {track.formats[0]!a}" if track and track.formats else "in a format"
        return reading.silence(), (f"The sound of the clip is {name} that PyAV does not know, and is silent.",)
    if not _has_known_channels(stream, track):
        return reading.silence(), (_UNREADABLE,)
    for place, piece in reading.pieces(container, stream, checkpoint):
        reading.add(place, piece)
    return reading.audio(), reading.notes()


_UNREADABLE = "The sound of the clip could not be read and is silent."


@dataclass(slots=True)
class _Reading:
    """Puts each piece of sound where its time says.

    Attributes:
        timeline: When the frames are shown and the sound is over.
        end_s: Where the sound is to be cut off; None for all of it.
    """

    timeline: Timeline
    end_s: float | None
    _rate: int = 0
    _layout: str = ""
    _channels: int = 0
    _resampler: av.AudioResampler | None = None
    _form: tuple[str, str, int] | None = None
    _joined: list[NDArray[np.float32]] = field(default_factory=list)
    _filled: int = 0
    _next: int | None = None
    _is_broken: bool = False
    _lost_s: float = 0.0
    _is_complete: bool = False

    @property
    def _until_s(self) -> float:
        said = self.timeline.sound_end_s
        return min(seconds for seconds in (said, self.end_s, float(MAX_SECONDS)) if seconds is not None)

    @property
    def _frames_s(self) -> float:
        return (self.timeline.end_s() if self.end_s is None else self.end_s) - self.timeline.start_s

    def silence(self) -> dict[str, object]:
        """Return silence of the frames' time."""
        count = max(1, round(self._frames_s * _SILENCE_RATE))
        return {"waveform": torch.zeros(1, _SILENCE_CHANNELS, count), "sample_rate": _SILENCE_RATE}

    def pieces(
        self, container: InputContainer, stream: AudioStream, checkpoint: Callable[[], None]
    ) -> Iterator[tuple[int | None, NDArray[np.float32]]]:
        """Yield (place of the first sample, if it has a time; samples [channels, n]) in order."""
        pass_over_others(container, stream)
        packets = container.demux(stream)
        while True:
            checkpoint()
            try:
                packet = next(packets, None)
            except _FAILURES:
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except _FAILURES:
                self._lose(float((packet.duration or 0) * (packet.time_base or 0)))
                continue
            for frame in frames:
                if frame.time is not None and frame.time >= self._until_s:
                    self._is_complete = True
                    return
                try:
                    yield from self._converted(frame)
                except _FAILURES:
                    self._lose(frame.samples / (frame.rate or _SILENCE_RATE))

    def _lose(self, seconds: float) -> None:
        self._lost_s += seconds
        self._is_broken = True

    def _converted(self, frame: AudioFrame) -> Iterator[tuple[int | None, NDArray[np.float32]]]:
        """Bring a piece to the form of the first one, as FFmpeg does where the form changes."""
        if frame.is_corrupt or not 0 < frame.rate <= _MOST_RATE:
            raise ValueError("a broken piece of sound")
        form = (frame.format.name, frame.layout.name, frame.rate)
        if self._form is None:
            self._rate = frame.rate
            self._layout, self._channels = frame.layout.name, frame.layout.nb_channels
        if form != self._form:
            # Interleaved: where there are eight or more planes, PyAV reads beyond the list of them.
            self._form, self._resampler = form, av.AudioResampler("flt", self._layout, self._rate)
        place = None if frame.time is None else round((frame.time - self.timeline.start_s) * self._rate)
        for converted in self._resampler.resample(frame) if self._resampler else ():
            piece = np.asarray(converted.to_ndarray(), np.float32).reshape(-1, self._channels).T
            yield place, piece if self._channels <= _MOST_CHANNELS else _mixed(piece)
            place = None

    def add(self, place: int | None, piece: NDArray[np.float32]) -> None:
        """Put a piece behind the one before: what comes before the picture is cut, what is late comes after silence."""
        behind = self._next
        at = behind or 0 if place is None else min(place, MAX_SECONDS * self._rate)
        # Times can be coarse, in WebM a millisecond: only the first piece, and one behind a gap, goes by its own.
        if behind is not None and (at <= behind or not (self._is_broken or at - behind >= piece.shape[1])):
            at = behind
        if at > self._filled:
            self._joined.append(np.zeros((piece.shape[0], at - self._filled), np.float32))
        self._joined.append(piece[:, max(0, -at) :])
        self._is_broken = False
        self._next = at + piece.shape[1]
        self._filled = max(self._filled, self._next)

    def audio(self) -> dict[str, object]:
        """Return all of it."""
        if not self._joined:
            return self.silence()
        least = max(1, round(self._frames_s * self._rate))
        most = round((self._until_s - self.timeline.start_s) * self._rate)
        length = least if self.end_s is not None else max(least, min(most, self._filled))
        missing = np.zeros((self._joined[0].shape[0], max(0, length - self._filled)), np.float32)
        kept = np.ascontiguousarray(np.concatenate([*self._joined, missing], axis=1)[:, :length])
        return {"waveform": torch.from_numpy(kept)[None], "sample_rate": self._rate}

    def notes(self) -> tuple[str, ...]:
        """Return sentences on what could not be read."""
        said = []
        should_s = min(self._until_s, self.end_s or self._until_s) - self.timeline.start_s
        is_short = self.timeline.sound_end_s is not None and not self._is_complete
        missing_s = should_s - self._filled / (self._rate or _SILENCE_RATE) if is_short else 0.0
        if not self._joined and (missing_s > _SLACK_S or self.timeline.sound_fault):
            return (_UNREADABLE,)
        if self._lost_s:
            said.append(f"{self._lost_s:.2f} s of the sound could not be read and are silent.")
        if missing_s - (self._lost_s if self._is_broken else 0) > _SLACK_S:
            said.append(f"The last {missing_s:.2f} s of the sound are missing and are silent.")
        return tuple(said)


def _mixed(piece: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix many channels [channels, n] down to two: layouts, where they are known at all, mostly alternate left and right."""
    return np.stack([piece[0::2].mean(axis=0), piece[1::2].mean(axis=0)])


def _has_known_channels(stream: AudioStream, track: Track | None) -> bool:
    """Return whether the sound can be decoded safely, and make it so.

    PyAV frees a layout of channels in an unusual order twice, which ends the process. FFmpeg takes such a layout from the
    file only for codecs that say nothing of it themselves: for these it is replaced by the number of channels alone.
    """
    codec = stream.codec_context
    if not codec.name.startswith(_CODECS_WITHOUT_LAYOUT):
        return True
    if track is None or not 0 < track.channels <= _MOST_READ_CHANNELS:
        return False
    codec.layout = f"{track.channels} channels"
    return True

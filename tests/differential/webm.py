"""The kinds of WebM and Matroska files, as `generate` makes them."""

VPX = "-deadline realtime -cpu-used 8 -g 6 -pix_fmt"
HIDDEN = "-deadline good -cpu-used 4 -auto-alt-ref 1 -lag-in-frames 8 -b:v 200k -pix_fmt"
AV1 = "-c:v libsvtav1 -preset 12 -svtav1-params tile-columns=0 -g 6 -pix_fmt"
H264 = "-c:v libx264 -preset veryfast -g 6 -bf 2 -pix_fmt"
HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=none:ctu=16:keyint=6:bframes=2 -pix_fmt"
BT709 = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range"
BT2020 = "-colorspace bt2020nc -color_primaries bt2020 -color_trc smpte2084 -color_range"
USUAL = "size=96x64:rate=24:duration=0.5"
LONG = "size=96x64:rate=24:duration=1.5"
TONE = "-f lavfi -i sine=frequency=440:sample_rate={rate}:duration={seconds}"

PICTURES = {  # name: (what is filmed, how it is written, suffix)
    "VP9 in WebM": (USUAL, f"-c:v libvpx-vp9 {VPX} yuv420p", "webm"),
    "VP9 in WebM, hidden frames": (LONG, f"-c:v libvpx-vp9 {HIDDEN} yuv420p", "webm"),
    "VP9 in WebM, 4:4:4": (USUAL, f"-c:v libvpx-vp9 {VPX} yuv444p", "webm"),
    "VP9 in WebM, 10 bit": (USUAL, f"-c:v libvpx-vp9 -profile:v 2 {VPX} yuv420p10le {BT2020} tv", "webm"),
    "VP9 in WebM, 12 bit 4:2:2": (USUAL, f"-c:v libvpx-vp9 -profile:v 3 {VPX} yuv422p12le", "webm"),
    "VP9 in WebM, RGB": (USUAL, f"-c:v libvpx-vp9 -profile:v 1 {VPX} gbrp", "webm"),
    "VP9 in WebM, BT.709": (USUAL, f"-c:v libvpx-vp9 {VPX} yuv420p {BT709} tv", "webm"),
    "VP9 in WebM, full range": (USUAL, f"-c:v libvpx-vp9 {VPX} yuv420p {BT709} pc", "webm"),
    "VP9 in WebM, transparent": (USUAL, "-c:v libvpx-vp9 -deadline realtime -auto-alt-ref 0 -pix_fmt yuva420p", "webm"),
    "VP9 in WebM, odd": ("size=63x47:rate=24:duration=0.5", f"-c:v libvpx-vp9 {VPX} yuv420p", "webm"),
    "VP9 in WebM, 25 fps": ("size=96x64:rate=25:duration=0.48", f"-c:v libvpx-vp9 {VPX} yuv420p", "webm"),
    "VP9 in WebM, 29.97 fps": ("size=96x64:rate=30000/1001:duration=0.4", f"-c:v libvpx-vp9 {VPX} yuv420p", "webm"),
    "VP9 in WebM, 60 fps": ("size=96x64:rate=60:duration=0.2", f"-c:v libvpx-vp9 {VPX} yuv420p", "webm"),
    "VP9 in WebM, variable rate": (
        USUAL,
        rf"-c:v libvpx-vp9 {VPX} yuv420p -vf select=lt(mod(n\,5)\,3) -fps_mode passthrough",
        "webm",
    ),
    "VP9 in WebM, one frame": ("size=96x64:rate=24:duration=0.04", f"-c:v libvpx-vp9 {VPX} yuv420p", "webm"),
    "VP8 in WebM": (USUAL, f"-c:v libvpx {VPX} yuv420p", "webm"),
    "VP8 in WebM, hidden frames": (LONG, f"-c:v libvpx {HIDDEN} yuv420p", "webm"),
    "VP8 in WebM, odd": ("size=63x47:rate=24:duration=0.5", f"-c:v libvpx {VPX} yuv420p", "webm"),
    "AV1 in WebM": (USUAL, f"{AV1} yuv420p", "webm"),
    "AV1 in WebM, 10 bit": (USUAL, f"{AV1} yuv420p10le", "webm"),
    "H.264 in Matroska": (USUAL, f"{H264} yuv420p", "mkv"),
    "HEVC in Matroska, 10 bit": (USUAL, f"{HEVC} yuv420p10le", "mkv"),
    "VP9 in Matroska": (USUAL, f"-c:v libvpx-vp9 {VPX} yuv420p", "mkv"),
}


def _tone(rate=48000, seconds=0.5):
    return TONE.format(rate=rate, seconds=seconds)


SOUNDS = {  # name: (inputs, how they are written)
    "WebM without sound": ("", ""),
    "Opus in WebM": (_tone(), "-c:a libopus -ac 2"),
    "Opus in WebM, mono": (_tone(), "-c:a libopus -ac 1"),
    "Opus in WebM, 5.1": (_tone(), "-c:a libopus -af aformat=channel_layouts=5.1 -mapping_family 1"),
    "Opus in WebM, packets of 5 ms": (_tone(), "-c:a libopus -ac 2 -frame_duration 5 -application lowdelay"),
    "Vorbis in WebM": (_tone(), "-c:a libvorbis -ac 2"),
    "Vorbis in WebM, mono 44.1 kHz": (_tone(44100), "-c:a libvorbis -ac 1"),
    "Opus in WebM starts late": (f"-itsoffset 0.2 {_tone(seconds=0.3)}", "-c:a libopus -ac 2"),
    "Opus in WebM starts early": (f"-itsoffset -0.1 {_tone(seconds=0.6)}", "-c:a libopus -ac 2"),
    "Opus in WebM, short": (_tone(seconds=0.1), "-c:a libopus -ac 2"),
    "Opus in WebM, long": (_tone(seconds=0.7), "-c:a libopus -ac 2"),
    "two sounds in WebM, the second the default": (
        f"{_tone()} {_tone(44100)}",
        "-map 0:v -map 1:a -map 2:a -c:a libopus -ac:a:1 1 -disposition:a:0 0 -disposition:a:1 default",
    ),
    "silence in WebM": ("-f lavfi -i anullsrc=r=48000:cl=stereo:d=0.5 -shortest", "-c:a libopus"),
}

WRITERS = {
    "WebM": "",
    "small clusters": "-cluster_time_limit 100",
    "live": "-live 1 -cluster_time_limit 100",
    "piped": "",
    "index of places in front": "-cues_to_front 1",
    "room for the index of places": "-reserve_index_space 2000",
    "WebM with a title": "-metadata title=Füchse -metadata:s:v:0 language=deu",
}

PLAIN = ("VP9 in WebM", "Opus in WebM", "WebM")

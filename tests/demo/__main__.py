"""A clip from a picture, with no account and no money: `python -m demo [--image photo.jpg] [--serve]`.

RunComfy is played by the emulator, whose ledger of charges is kept in .cache/demo; everything else is real: ComfyUI,
the pack, the example workflow. Run it twice: the second time the clip comes out of the journal, and nothing is charged.
The picture, if none is named, is landscape.jpg, rendered for this demo.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

from comfyui.install import ROOT, InstallError, ensure_installed
from comfyui.server import ComfyUIError
from demo import in_comfyui, in_process
from demo.exhibits import Exhibits
from demo.ticker import Ticker
from emulator import Emulator, Timeline
from PIL import Image, ImageOps

LANDSCAPE = Path(__file__).with_name("landscape.jpg")
CACHE = ROOT / ".cache" / "demo"
PORT = CACHE / "port"  # a clip belongs to the address it was bought at, so the second demo listens where the first did
OUTPUT = ROOT / "demo-output"
TIMELINE = Timeline.by_clock(queued_s=4, rendering_s=12)
AHEAD_IN_QUEUE = 3
POLL_INTERVAL_S = "1"


def main() -> None:
    """Plays the demo and says where everything is."""
    parser = argparse.ArgumentParser(prog="make demo", description="A clip from a picture, with no account.")
    parser.add_argument("--image", type=Path, default=LANDSCAPE, help="the picture to animate")
    parser.add_argument("--serve", action="store_true", help="leave ComfyUI open in the browser")
    chosen = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    picture = _opened(chosen.image)
    with ExitStack() as stack:
        emulator = stack.enter_context(
            Emulator(
                timeline=TIMELINE,
                port=_kept_port(),
                ahead_in_queue=AHEAD_IN_QUEUE,
                state_path=CACHE / "emulator.json",
                clips_dir=CACHE / "emulator-clips",
            )
        )
        PORT.write_text(str(urlsplit(emulator.url).port))
        interval = {"RUNCOMFY_POLL_INTERVAL_S": POLL_INTERVAL_S}
        exhibits = Exhibits(OUTPUT)
        charges_before = emulator.charges
        comfyui = _comfyui(emulator.environment() | interval)
        if comfyui is not None:
            stack.enter_context(comfyui)
        ticker = Ticker()
        if comfyui is not None:
            in_comfyui.run(comfyui, picture, exhibits=exhibits, ticker=ticker)
        else:
            environment = emulator.environment(CACHE) | interval
            in_process.run(picture, cache=CACHE, environment=environment, exhibits=exhibits, ticker=ticker)
        _report(exhibits, ticker, before=charges_before, after=emulator.charges)
        if chosen.serve and comfyui is not None:
            print(
                f"\nComfyUI is open at {in_comfyui.show(comfyui)}\nIt generates against the emulator. Ctrl+C ends both."
            )
            with suppress(KeyboardInterrupt):
                threading.Event().wait()


def _kept_port() -> int:
    """That of the demo before; 0, for any, where there was none or another program has it now."""
    with suppress(OSError, ValueError), socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = int(PORT.read_text())
        free.bind(("127.0.0.1", port))
        return port
    return 0


def _opened(image: Path) -> Image.Image:
    try:
        with Image.open(image) as file:
            return ImageOps.exif_transpose(file).convert("RGB")
    except OSError as error:
        sys.exit(f"{image} cannot be read as a picture: {error}")


def _comfyui(environment: dict[str, str]) -> in_comfyui.ComfyUI | None:
    print("Getting ComfyUI ready (the first time takes a minute or two) ...")
    try:
        installation = ensure_installed()
    except InstallError as error:
        print(f"No ComfyUI can be had here, so the node runs by itself. {error}")
        return None
    print(f"ComfyUI {installation.version}, the emulator of RunComfy, the example workflow {in_comfyui.WORKFLOW}:")
    return in_comfyui.opened(installation, cache=CACHE, environment=environment)


def _report(exhibits: Exhibits, ticker: Ticker, *, before: int, after: int) -> None:
    count = len(list(exhibits.frames.iterdir()))
    print(
        f"\nThe clip           {_shown(exhibits.clip)}"
        f"\nIts {count} frames     {_shown(exhibits.frames)}"
        f"\nIts sound          {_shown(exhibits.sound)}"
        f"\nTwelve of them     {_shown(exhibits.contact_sheet)}"
        f"\n\nIn {ticker.elapsed_s:.0f} s. Charges on the emulator (no real money): {before} before, {after} after."
        f"\nNew charges: {after - before}"
    )


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)  # ComfyUI must end with the demo, whoever ends it
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except (ComfyUIError, in_comfyui.DemoError) as error:
        sys.exit(str(error))

"""A page server in a process of its own: python page_process.py HOME PORT, with a library filled by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]


def main(home: Path, port: int) -> None:
    import imageio_ffmpeg
    from fakes import Shelf, text
    from PIL import Image

    from app import wiring
    from data.records import Evidence, Kind

    media = home / "media"
    media.mkdir(parents=True, exist_ok=True)
    clip = media / "walk.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=12", "-f", "lavfi", "-i", "sine=440"]
    coding = ["-t", "30", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12", "-c:a", "aac"]
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *source, *coding, str(clip)]
    subprocess.run(ffmpeg, check=True)
    shelf = Shelf(home / "library")
    said = text("dog dog", kind=Kind.VIDEO, evidence=Evidence.SAID, start_s=12.4, end_s=15.0)
    seen = text("dog beach", kind=Kind.VIDEO, evidence=Evidence.SEEN, start_s=3.0, end_s=6.0)
    shelf.put(clip, [seen, said])
    Image.new("RGB", (640, 400), "red").save(media / "red.png")
    shelf.put(media / "red.png")
    (media / "city.txt").write_text("city")
    shelf.put(media / "city.txt")
    wiring.shared = lambda: shelf.library

    import streamlit_app

    streamlit_app.server.run(config={"server.port": port, "logger.level": "error"})


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

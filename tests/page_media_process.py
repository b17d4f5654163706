"""A page server over media that browsers do not play: python page_media_process.py HOME PORT."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

FILM = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=12", "-f", "lavfi", "-i", "sine=440", "-t", "40"]


def main(home: Path, port: int) -> None:
    from fakes import Shelf, text

    from app import wiring
    from app.once import Once
    from data.records import Evidence, Kind
    from embedder.media.sandbox import ReaderPool
    from tests import make_media

    media = home / "media"
    media.mkdir(parents=True, exist_ok=True)
    shelf = Shelf(home / "library")
    coded = ["-c:v", "mpeg4", "-c:a", "aac", "-g", "12"]
    for name, word, options in (
        ("old.avi", "beach", coded),
        ("strange codec.mp4", "night", coded),
        ("silent strange codec.mp4", "rain", ["-c:v", "mpeg4", "-an"]),
    ):
        make_media.ffmpeg(*FILM, *options, str(media / name))
        spans = {Evidence.SAID: (12.4, 15.0), Evidence.SEEN: (30.0, 34.0)}
        shelf.put(
            media / name,
            [
                text(f"{word} {word}", kind=Kind.VIDEO, evidence=evidence, start_s=start_s, end_s=end_s)
                for evidence, (start_s, end_s) in spans.items()
            ],
        )
    make_media.sound_file(media / "hum.aiff", make_media.tone(20))
    shelf.put(media / "hum.aiff", [text("city", kind=Kind.AUDIO, evidence=Evidence.SAID, start_s=8.0, end_s=10.0)])
    (media / "broken.avi").write_bytes(b"RIFF\xff\xff\x00\x00AVI LIST" + b"x" * 5000)
    shelf.put(media / "broken.avi", [text("music", kind=Kind.VIDEO, evidence=Evidence.SEEN, start_s=0, end_s=1)])
    make_media.pdf(media / "report.pdf", ("First page of it. Two lines.", "Second page of it, to be looked at."))
    pages = {1: "page", 2: "page page"}
    shelf.put(
        media / "report.pdf",
        [text(words, kind=Kind.DOCUMENT, page=page, char_start=0, char_end=11) for page, words in pages.items()],
    )
    real = ReaderPool(1)
    shelf.library.readers = Once(lambda: real)
    wiring.shared = lambda: shelf.library

    import streamlit_app

    streamlit_app.server.run(config={"server.port": port, "logger.level": "error"})


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

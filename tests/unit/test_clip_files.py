"""A clip is what its first bytes say, whatever it is called."""

import errno
from pathlib import Path

import pytest
from sora2pro.nodes.runcomfy import clip_kind


def box(kind, content=b"", *, is_long=False):
    size = len(content) + (16 if is_long else 8)
    return (
        (1).to_bytes(4, "big") + kind + size.to_bytes(8, "big") + content
        if is_long
        else (size.to_bytes(4, "big") + kind + content)
    )


def ftyp(brand):
    return box(b"ftyp", brand + bytes(4) + b"isom")


def ebml(doctype, *, length=b"", before=b""):
    name = b"\x42\x82" + (length or bytes([0x80 | len(doctype)])) + doctype
    content = b"\x42\x86\x81\x01" + before + name + b"\x42\x87\x81\x04"
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(content)]) + content + b"\x18\x53\x80\x67\x01" + b"\xff" * 7


KINDS = {
    "MP4": (ftyp(b"isom"), ".mp4", "video/mp4"),
    "MP4 of another brand": (ftyp(b"M4V "), ".mp4", "video/mp4"),
    "QuickTime": (ftyp(b"qt  "), ".mov", "video/quicktime"),
    "QuickTime behind free space": (
        box(b"wide") + box(b"free", bytes(5000)) + ftyp(b"qt  "),
        ".mov",
        "video/quicktime",
    ),
    "QuickTime behind a long box": (box(b"skip", bytes(9), is_long=True) + ftyp(b"qt  "), ".mov", "video/quicktime"),
    "boxes without a brand": (box(b"moov", bytes(90)) + box(b"mdat", b"qt  "), ".mp4", "video/mp4"),
    "WebM": (ebml(b"webm"), ".webm", "video/webm"),
    "WebM with a long length": (ebml(b"webm", length=b"\x01\0\0\0\0\0\0\x04"), ".webm", "video/webm"),
    "WebM with a void element": (ebml(b"webm", before=b"\xec\x85void!"), ".webm", "video/webm"),
    "Matroska": (ebml(b"matroska"), ".mkv", "video/x-matroska"),
    "Matroska without a name": (b"\x1a\x45\xdf\xa3\x80", ".mkv", "video/x-matroska"),
    "text": (b"clip", ".mp4", "video/mp4"),
    "nothing": (b"", ".mp4", "video/mp4"),
    "a box without an end": (bytes(4) + b"mdat" + ftyp(b"qt  "), ".mp4", "video/mp4"),
    "a box of a size that is none": (b"\0\0\0\x01free" + b"\xff" * 8, ".mp4", "video/mp4"),
    "boxes without an end": (box(b"free") * 99 + ftyp(b"qt  "), ".mp4", "video/mp4"),
}


@pytest.mark.parametrize(("content", "ending", "content_type"), KINDS.values(), ids=KINDS)
def test_a_file_is_what_its_bytes_say(tmp_path, content, ending, content_type):
    for name in ("clip.mp4", "clip.webm", "clip"):
        (tmp_path / name).write_bytes(content)
        kind = clip_kind(tmp_path / name)
        assert (kind.ending, kind.content_type) == (ending, content_type)


@pytest.mark.parametrize("whole", [content for content, *_ in KINDS.values()], ids=KINDS)
def test_a_file_that_ends_anywhere_is_looked_at_without_a_word(tmp_path, whole):
    for end in range(min(64, len(whole))):
        (tmp_path / "clip").write_bytes(whole[:end])
        assert clip_kind(tmp_path / "clip").ending in {".mp4", ".mkv", ".mov", ".webm"}


def test_a_file_that_is_not_there_or_is_a_folder_counts_as_the_usual_one(tmp_path):
    assert clip_kind(tmp_path / "gone").ending == clip_kind(tmp_path).ending == ".mp4"


def test_a_file_that_may_not_be_read_counts_as_the_usual_one(tmp_path, monkeypatch):
    (tmp_path / "clip").write_bytes(ebml(b"webm"))

    def refuse(*_arguments, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert clip_kind(tmp_path / "clip").ending == ".mp4"

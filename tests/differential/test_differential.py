import os
import shutil
import sys

import pytest
from differential.generate import SINGLE
from differential.run import compare, table, unexpected

FILES = int(os.environ.get("DIFFERENTIAL_FILES", "300"))


@pytest.mark.skipif(
    not (shutil.which("ffmpeg") or os.environ.get("CI")), reason="the ffmpeg command line is the reference"
)
def test_the_pack_delivers_what_ffmpeg_shows_of_every_kind_of_file_whole_and_damaged(tmp_path, capsys):
    assert len(SINGLE) < FILES, "every kind has to be tried once"
    rows = compare(0, FILES, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\n{table(rows)}\n")
    assert [row["number"] for row in rows] == list(range(FILES))
    assert unexpected(rows) == []

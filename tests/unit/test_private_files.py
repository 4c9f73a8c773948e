import stat

import pytest
from sora2pro.nodes.runcomfy.private_files import make_private_dir, write_private


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_and_the_folder_made_for_it_are_their_owners_alone(tmp_path):
    path = tmp_path / "state" / "deeper" / "settings.json"
    write_private(path, "käse\n")
    assert path.read_text(encoding="utf-8") == "käse\n"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_a_file_that_was_open_to_others_is_replaced_by_one_that_is_not(tmp_path):
    path = tmp_path / "token"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(encoding="utf-8"), mode(path)) == ("new", 0o600)


def test_a_folder_that_is_there_keeps_the_rights_its_owner_gave_it(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    make_private_dir(folder)
    assert mode(folder) == 0o755


def test_a_write_that_breaks_off_leaves_the_old_file_and_no_scrap(tmp_path):
    path = tmp_path / "token"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "half a character: \ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["token"]

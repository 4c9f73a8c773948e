import pytest
from sora2pro.nodes.runcomfy.files import give_name, make_private_dir, write_private
from support.file_permissions import is_its_owners_alone


def test_a_file_and_the_folder_made_for_it_are_their_owners_alone(tmp_path):
    path = tmp_path / "state" / "deeper" / "settings.json"
    write_private(path, "käse\n")
    assert path.read_text(encoding="utf-8") == "käse\n"
    assert is_its_owners_alone(path)
    assert is_its_owners_alone(path.parent)


def test_a_file_that_was_open_to_others_is_replaced_by_one_that_is_not(tmp_path):
    path = tmp_path / "token"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert is_its_owners_alone(path)


def test_a_folder_that_is_there_keeps_the_rights_its_owner_gave_it(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    before = folder.stat().st_mode
    make_private_dir(folder)
    assert folder.stat().st_mode == before


def test_a_write_that_breaks_off_leaves_the_old_file_and_no_scrap(tmp_path):
    path = tmp_path / "token"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "half a character: \ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["token"]


class RefusedPart:
    """A file whose renaming Windows refuses so many times: another program has the old one open."""

    def __init__(self, path, refusals):
        self.path, self.refusals = path, refusals

    def replace(self, target):
        if self.refusals:
            self.refusals -= 1
            raise PermissionError
        self.path.replace(target)


def test_a_file_that_is_open_elsewhere_gets_its_name_when_the_other_has_closed_it(tmp_path):
    (tmp_path / "part").write_text("whole")
    waits = []
    give_name(RefusedPart(tmp_path / "part", 3), tmp_path / "clip.mp4", sleep=waits.append)
    assert (tmp_path / "clip.mp4").read_text() == "whole"
    assert len(waits) == 3


def test_a_file_that_stays_open_elsewhere_is_an_error_in_bounded_time(tmp_path):
    waits = []
    with pytest.raises(PermissionError):
        give_name(RefusedPart(tmp_path / "part", 1000), tmp_path / "clip.mp4", sleep=waits.append)
    assert sum(waits) < 5

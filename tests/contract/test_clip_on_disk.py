"""A whole clip on this disk is delivered, whatever became of the journal, the folder or RunComfy's copy meanwhile."""

import errno
import os
import shutil
import stat

import pytest
from emulator import Call, Fault
from sora2pro.nodes.errors import RunComfyError, SubmissionUncertainError
from support import assertions
from support.engine_fixture import Rig


def forget_the_clip(emulator):
    """RunComfy keeps no clip for long."""
    emulator.inject(Fault(Call.DOWNLOAD, "404", times=None))


def test_a_comfyui_that_was_moved_delivers_what_it_has(emulator, tmp_path, clip):
    Rig(emulator.url, emulator.token, tmp_path / "ComfyUI").run()
    (tmp_path / "ComfyUI").rename(tmp_path / "ComfyUI on the new disk")
    forget_the_clip(emulator)
    job = Rig(emulator.url, emulator.token, tmp_path / "ComfyUI on the new disk").run()
    assert job.path.read_bytes() == clip
    assert emulator.charges == 1


def test_a_comfyui_that_was_moved_needs_no_network_for_it(emulator, tmp_path, clip):
    Rig(emulator.url, emulator.token, tmp_path / "ComfyUI").run()
    (tmp_path / "ComfyUI").rename(tmp_path / "moved")
    emulator.inject(*(Fault(call, "503", times=None) for call in (Call.STATUS, Call.RESULT, Call.DOWNLOAD)))
    assert Rig(emulator.url, emulator.token, tmp_path / "moved").run().path.read_bytes() == clip


def test_a_clip_on_a_drive_that_was_away_is_delivered_when_the_drive_is_back(emulator, rig_on, tmp_path, clip):
    bought = rig_on(emulator).run()
    away = tmp_path / "unmounted"
    bought.path.parent.rename(away)
    forget_the_clip(emulator)
    assert isinstance(assertions.attempt(rig_on(emulator)), RunComfyError)
    shutil.rmtree(bought.path.parent, ignore_errors=True)
    away.rename(bought.path.parent)
    assert rig_on(emulator).run().path.read_bytes() == clip
    assert emulator.charges == 1


@pytest.mark.parametrize("answer", [None, {"status": "completed", "output": None}], ids=["", "no address"])
def test_a_clip_that_was_on_the_disk_when_the_machine_died_is_delivered(emulator, rig_on, clip, monkeypatch, answer):
    class PowerCut(BaseException):
        pass

    def cut(*_arguments, **_options):
        raise PowerCut

    rig = rig_on(emulator)
    with monkeypatch.context() as patched:
        patched.setattr(rig.journal, "record_downloaded", cut)
        with pytest.raises(PowerCut):
            rig.run()
    forget_the_clip(emulator)
    if answer is not None:
        emulator.inject(Fault(Call.RESULT, "unknown-status", times=None, put=answer))
    assert rig_on(emulator).run().path.read_bytes() == clip
    assert emulator.charges == 1


@pytest.mark.parametrize(
    "change", [lambda clip: clip[:-1000], lambda clip: clip + b"\0\0\0\x08free"], ids=["cut", "edited"]
)
def test_a_file_in_the_place_of_a_clip_that_was_changed_is_not_delivered(emulator, rig_on, clip, change):
    bought = rig_on(emulator).run()
    bought.path.write_bytes(change(clip))
    forget_the_clip(emulator)
    assert isinstance(assertions.attempt(rig_on(emulator)), RunComfyError)
    assert emulator.charges == 1


@pytest.mark.parametrize(
    "forgotten", [[], [Call.RESULT], [Call.RESULT, Call.STATUS]], ids=["file", "result", "request"]
)
def test_a_clip_that_was_collected_by_its_id_is_delivered_once_its_id_is_adopted(emulator, rig, clip, forgotten):
    emulator.inject(Fault(Call.SUBMIT, "closed", after_accept=True))
    with pytest.raises(SubmissionUncertainError) as error:
        rig.run()
    job, request_id = rig.journal.get(error.value.job_id), emulator.ledger[0].request_id
    assert rig.collect(request_id).path.read_bytes() == clip
    rig.act("adopt", f"{job.name} {request_id}")
    emulator.inject(*(Fault(call, "404", times=None) for call in (Call.DOWNLOAD, *forgotten)))
    assert rig.run().path.read_bytes() == clip
    assert emulator.charges == 1


def test_a_file_system_that_cannot_make_names_in_a_folder_durable_keeps_the_clip(emulator, rig, monkeypatch, clip):
    real = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert rig.run().path.read_bytes() == clip
    assert emulator.charges == 1

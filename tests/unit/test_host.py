import socket
import sys
import types

import pytest
from sora2pro.nodes import host
from sora2pro.nodes.errors import Stopped
from sora2pro.nodes.host import Blocked, ClipFile, Display, Place
from support.fake_comfyui import ExecutionBlocker, InterruptProcessingException, VideoFromFile

HERE = Place("12", "prompt-1")


class TestOutsideOfComfyUI:
    def test_nobody_presses_stop(self):
        assert not host.is_interrupted()
        assert isinstance(host.interruption("Stopped."), Stopped)
        assert not host.is_interruption(Stopped("Stopped."))

    def test_there_is_no_place_and_nobody_to_show_anything_to(self):
        assert host.current_place() == Place(None, None, None)
        assert host.workflow_id("prompt-1") is None
        assert host.route_table() is None
        display = Display(HERE)
        display.show("Rendering", 0.5)
        display.send("event", {})

    def test_an_output_that_is_not_there_says_why(self):
        assert host.blocked("not yet") == Blocked("not yet")

    def test_a_video_is_a_file_that_can_be_saved(self, tmp_path):
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(b"clip")
        video = host.video(clip)
        assert video == ClipFile(clip)
        video.save_to(tmp_path / "copy.mp4")
        assert (tmp_path / "copy.mp4").read_bytes() == b"clip"

    def test_there_is_nothing_to_play_a_clip_on(self, tmp_path):
        assert host.preview([tmp_path / "clip.mp4"]) == {}

    def test_clips_go_below_the_folder_one_is_in(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        assert host.default_output_dir() == tmp_path / "output" / "sora2pro"

    @pytest.mark.parametrize(
        ("platform", "variables", "folder"),
        [
            ("linux", {}, ".local/state/sora2pro"),
            ("linux", {"XDG_STATE_HOME": "{here}"}, "{here}/sora2pro"),
            ("linux", {"XDG_STATE_HOME": '"{here}" '}, "{here}/sora2pro"),
            ("linux", {"XDG_STATE_HOME": "below"}, ".local/state/sora2pro"),
            ("darwin", {}, "Library/Application Support/sora2pro"),
            ("win32", {}, "AppData/Local/sora2pro"),
            ("win32", {"LOCALAPPDATA": "{here}"}, "{here}/sora2pro"),
            ("win32", {"LOCALAPPDATA": '"{here}"'}, "{here}/sora2pro"),
        ],
    )
    def test_state_goes_where_the_platform_keeps_it(
        self, monkeypatch, empty_home, tmp_path, platform, variables, folder
    ):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.delenv("LOCALAPPDATA", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(here=tmp_path))
        assert host.default_state_dir() == empty_home / folder.format(here=tmp_path)


class TestInsideOfComfyUI:
    def test_stop_is_looked_at_without_being_used_up(self, comfyui):
        comfyui.interrupt()
        assert [host.is_interrupted() for _ in range(3)] == [True] * 3
        assert comfyui.is_interrupted

    def test_a_stopped_node_raises_comfyuis_own_interruption_with_our_words(self, comfyui):
        error = host.interruption("Stopped. Nothing was charged.")
        assert type(error) is InterruptProcessingException
        assert str(error) == "Stopped. Nothing was charged."
        assert host.is_interruption(error)
        assert not host.is_interruption(ValueError())
        assert not comfyui.is_interrupted

    def test_the_place_is_the_node_that_runs(self, comfyui):
        comfyui.context.list_index = 3
        assert host.current_place() == Place("12", "prompt-1", 3)
        del comfyui.context.list_index
        assert host.current_place() == Place("12", "prompt-1", None)
        comfyui.context = None
        assert host.current_place() == Place(None, None, None)

    def test_text_goes_to_the_browser_that_queued_the_prompt_and_only_when_it_changes(self, comfyui):
        display = Display(HERE)
        for text in ("Queued", "Queued", "Rendering"):
            display.show(text, 0.0)
        assert comfyui.texts == [("Queued", "12", "client-1"), ("Rendering", "12", "client-1")]

    def test_the_text_reaches_the_page_as_text_since_the_page_takes_it_for_html(self, comfyui):
        Display(HERE).show("It is at /clips/<img src=x onerror=alert(1)>&co.mp4", 0.0)
        assert [text for text, _node, _sid in comfyui.texts] == [
            "It is at /clips/&lt;img src=x onerror=alert(1)&gt;&amp;co.mp4"
        ]

    def test_the_bar_moves_in_fine_steps_and_only_when_there_is_news(self, comfyui):
        display = Display(HERE)
        for fraction in (0.0, 0.25, 0.25, 1.0):
            display.show("Decoding", fraction)
        assert comfyui.steps == [(250, 1000, "12"), (1000, 1000, "12")]

    def test_a_stop_that_the_bar_uses_up_is_set_again_for_the_others(self, comfyui):
        display = Display(HERE)
        comfyui.interrupt()
        display.show("Decoding", 0.5)
        assert comfyui.is_interrupted
        assert host.is_interrupted()

    def test_without_a_browser_text_is_addressed_to_nobody_in_particular(self, comfyui):
        comfyui.server.client_id = None
        Display(HERE).show("Queued", 0.0)
        assert comfyui.texts == [("Queued", "12", None)]

    def test_a_comfyui_that_cannot_show_text_still_has_the_bar(self, comfyui):
        del comfyui.server.send_progress_text
        Display(HERE).show("Decoding", 0.5)
        assert (comfyui.texts, comfyui.steps) == ([], [(500, 1000, "12")])

    def test_without_a_place_nothing_is_shown(self, comfyui):
        display = Display(Place(None, None))
        display.show("Queued", 0.5)
        display.send("event", {})
        assert (comfyui.texts, comfyui.steps, comfyui.events) == ([], [], [])

    def test_an_event_names_the_node_and_goes_to_the_same_browser(self, comfyui):
        Display(HERE).send("sora2pro.progress", {"kind": "queued"})
        document = {"kind": "queued", "node": "12", "prompt_id": "prompt-1"}
        assert comfyui.events == [("sora2pro.progress", document, "client-1")]

    @pytest.mark.parametrize(
        ("extra", "workflow_id"),
        [
            ({"extra_pnginfo": {"workflow": {"id": "workflow-1"}}}, "workflow-1"),
            ({"extra_pnginfo": {"workflow": {"id": 7}}}, "7"),
            ({"extra_pnginfo": {"workflow": {}}}, None),
            ({"extra_pnginfo": {"workflow": None}}, None),
            ({"extra_pnginfo": None}, None),
            ({}, None),
        ],
    )
    def test_the_workflow_is_the_one_the_browser_had_open(self, comfyui, extra, workflow_id):
        comfyui.running = [(0, "prompt-0", {}, {}, []), (1, "prompt-1", {}, extra, [], {"sensitive": 1})]
        assert host.workflow_id("prompt-1") == workflow_id
        assert host.workflow_id("prompt-9") is None
        assert host.workflow_id(None) is None

    @pytest.mark.usefixtures("comfyui")
    def test_a_blocked_output_is_comfyuis_own(self):
        blocker = host.blocked("not yet")
        assert isinstance(blocker, ExecutionBlocker)
        assert blocker.message == "not yet"

    @pytest.mark.usefixtures("comfyui")
    def test_a_video_is_comfyuis_own_and_reads_from_the_file(self, tmp_path):
        video = host.video(tmp_path / "clip.mp4")
        assert isinstance(video, VideoFromFile)
        assert video.file == str(tmp_path / "clip.mp4")

    def test_clips_below_the_output_folder_play_on_the_node_and_others_do_not(self, comfyui, tmp_path):
        output = comfyui.folder / "output"
        shown = host.preview([output / "sora2pro" / "a.mp4", tmp_path / "elsewhere.mp4"])
        assert shown == {
            "images": [
                {"filename": "a.mp4", "subfolder": "sora2pro", "type": "output"},
            ],
            "animated": (True,),
        }
        assert host.preview([tmp_path / "elsewhere.mp4"]) == {}

    def test_a_linked_output_folder_is_known_as_what_it_is(self, comfyui, tmp_path):
        real = tmp_path / "disk"
        (real / "sora2pro").mkdir(parents=True)
        comfyui.folder.mkdir()
        (comfyui.folder / "output").symlink_to(real)
        (image,) = host.preview([real / "sora2pro" / "a.mp4"])["images"]
        assert image["subfolder"] == "sora2pro"

    def test_state_is_kept_where_comfyui_serves_it_to_nobody(self, comfyui):
        assert host.default_state_dir() == comfyui.folder / "user" / "__sora2pro"
        del sys.modules["folder_paths"].get_system_user_directory
        assert host.default_state_dir() == comfyui.folder / "user" / "__sora2pro"

    def test_clips_are_kept_below_comfyuis_output(self, comfyui):
        assert host.default_output_dir() == comfyui.folder / "output" / "sora2pro"

    def test_routes_are_added_to_the_server_that_is_there(self, comfyui):
        assert host.route_table() == "the route table"
        comfyui.server.routes = None
        assert host.route_table() is None

    @pytest.mark.parametrize("instance", ["missing", None])
    def test_a_server_that_has_not_started_yet_is_not_an_error(self, comfyui, monkeypatch, instance):
        if instance == "missing":
            monkeypatch.delattr(sys.modules["server"].PromptServer, "instance")
        else:
            monkeypatch.setattr(sys.modules["server"].PromptServer, "instance", None)
        Display(HERE).show("Queued", 0.5)
        assert host.workflow_id("prompt-1") is None
        assert host.route_table() is None
        assert comfyui.texts == []


def test_a_machine_is_asked_for_by_its_own_names_and_by_what_comfyui_listens_on(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "Studio.Example.Org")
    assert host.own_names()[:2] == ["studio.example.org", "studio.local"]
    arguments = types.SimpleNamespace(args=types.SimpleNamespace(listen="192.0.2.7, Comfy.Example.Org"))
    monkeypatch.setitem(sys.modules, "comfy.cli_args", arguments)
    assert host.own_names() == ["studio.example.org", "studio.local", "192.0.2.7", "comfy.example.org"]


def test_asking_for_routes_loads_no_module_of_comfyui():
    assert host.route_table() is None
    assert not {"server", "folder_paths", "comfy"} & set(sys.modules)

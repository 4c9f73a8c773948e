"""What the page is told of a run before it is made: what it would buy, and the picture as it will be sent."""

import asyncio
import io

import numpy as np
import pytest
from contract.routes.page import OURS, buy, buy_and_stop
from emulator import Call, Fault, State
from emulator.quirks import QUIRKS
from pack import load_pack
from PIL import Image
from sora2pro.nodes.errors import GenerationFailedError, InvalidInputError, SubmissionUncertainError
from sora2pro.nodes.run import current
from sora2pro.nodes.run.current import current_engine
from sora2pro.nodes.runcomfy import Action, JobRef, Run
from sora2pro.nodes.runcomfy.progress import StopSignal, ignore
from support.engine_fixture import PICTURE_URL
from support.fake_comfyui import ComfyUI, LoadImage
from support.node_runs import run_node

SORA = "Sora2ProImageToVideo"
ANY = "RunComfyImageToVideo"
PIXVERSE = "pixverse/pixverse-v6/image-to-video"


@pytest.fixture
def comfyui(monkeypatch, tmp_path):
    comfyui = ComfyUI(tmp_path).installed(monkeypatch)
    for name in ("input", "output", "temp"):
        (tmp_path / name).mkdir(exist_ok=True)
    current._engine.cache_clear()
    return comfyui


@pytest.fixture
def picture(comfyui):
    """A picture in the input folder, wider than high; the IMAGE that Load Image makes of it."""
    return save(comfyui, "fox.png")


def save(comfyui, name, *, level=200):
    pixels = np.full((450, 640, 3), level, np.uint8)
    pixels[:, :320, 0] = 20
    Image.fromarray(pixels).save(comfyui.folder / "input" / name)
    return LoadImage().load_image(name)[0]


def look(page, *, node=SORA, files=None, **values):
    answer = page.ask("POST", "/outlook", json={"node": node, "values": sora(**values), "files": files or {}})
    assert answer.status_code == 200
    return answer.json()


def sora(**values):
    return {
        "prompt": "A fox runs.",
        "size": "720x1280",
        "seconds": 4,
        "seed": 0,
        "fit": "crop",
        "image_url": "",
    } | values


def clips(page, **options):
    return look(page, **options)["clips"]


def test_inputs_that_were_never_bought_are_new_and_those_that_were_are_bought(page, emulator):
    hosted = {"image_url": PICTURE_URL}
    assert clips(page, **hosted) == ["new"]
    job = buy()
    assert clips(page, **hosted) == ["bought"]
    for changed in ({"seed": 1}, {"seconds": 8}, {"size": "1280x720"}, {"prompt": "A fox sleeps."}):
        assert clips(page, **hosted, **changed) == ["new"]
    job.path.unlink()
    assert clips(page, **hosted) == ["ready"]
    assert emulator.charges == 1


def test_a_request_under_way_is_seen_after_a_restart(page, emulator):
    buy_and_stop(emulator)
    current._engine.cache_clear()
    assert clips(page, image_url=PICTURE_URL) == ["under_way"]
    assert emulator.charges == 1


def test_a_run_is_not_called_free_while_the_request_may_be_cancelled_so_that_it_buys(page, emulator):
    _, request = buy_and_stop(emulator)
    emulator.inject(Fault(Call.CANCEL, "500", after_accept=True))
    current_engine().act(Action.CANCEL, JobRef(), Run(StopSignal(), ignore))
    assert clips(page, image_url=PICTURE_URL) == ["new"]
    buy_and_stop(emulator)
    assert emulator.requests[-1].request_id != request.request_id


def test_a_job_that_is_uncertain_keeps_the_run_from_buying_until_it_is_released(page, emulator):
    emulator.inject(Fault(Call.SUBMIT, "503", after_accept=True))
    with pytest.raises(SubmissionUncertainError):
        buy()
    assert clips(page, image_url=PICTURE_URL) == ["uncertain"]
    current_engine().act(Action.RELEASE, JobRef(), Run(StopSignal(), ignore))
    assert clips(page, image_url=PICTURE_URL) == ["new"]


def test_a_run_of_a_job_that_failed_only_asks_again(page, emulator):
    job, request = buy_and_stop(emulator)
    emulator.release(request.request_id, State.FAILED, "blocked by our moderation system")
    with pytest.raises(GenerationFailedError):
        current_engine().act(Action.COLLECT, job.ref, Run(StopSignal(), ignore))
    assert clips(page, image_url=PICTURE_URL) == ["failed"]
    assert emulator.charges == 1


def test_the_picture_of_a_file_leads_to_the_same_clip_as_the_run(page, emulator, comfyui, picture):
    files = {"image": "fox.png"}
    for fit in ("crop", "pad"):
        assert clips(page, files=files, fit=fit) == ["new"]
        run_node(image=picture, fit=fit)
        assert clips(page, files=files, fit=fit) == ["bought"]
    assert clips(page, files=files, fit="stretch") == ["new"]
    assert clips(page, files=files, size="auto") == ["new"]
    run_node(image=picture, size="auto")
    assert clips(page, files=files, size="auto") == ["bought"]
    save(comfyui, "fox.png", level=90)
    assert clips(page, files=files) == ["new"]
    assert emulator.charges == 3


def test_any_model_knows_its_clips_too(page, emulator, picture):
    wishes = {"model": PIXVERSE, "duration": 0, "prompt": "A fox runs.", "seed": 0}
    asked = {"node": ANY, "values": wishes, "files": {"image": "fox.png"}}
    assert page.ask("POST", "/outlook", json=asked).json()["clips"] == ["new"]
    asyncio.run(load_pack().NODE_CLASS_MAPPINGS[ANY]().generate(image=picture, frame_load_cap=8, **wishes))
    assert page.ask("POST", "/outlook", json=asked).json()["clips"] == ["bought"]
    asked["values"] = {**wishes, "seed": 5}
    assert page.ask("POST", "/outlook", json=asked).json()["clips"] == ["new"]
    assert emulator.charges == 1


def test_a_clip_that_was_bought_before_a_default_changed_is_known(page, emulator, picture):
    model = "pixverse/pixverse-v6/image-to-video"
    wishes = {"model": model, "duration": 0, "prompt": "A fox runs.", "seed": 0}
    node = load_pack().NODE_CLASS_MAPPINGS[ANY]()
    asyncio.run(node.generate(image=picture, frame_load_cap=8, **wishes))
    emulator.configure(quirks={model: QUIRKS["longer-default-length"]})
    current._engine.cache_clear()
    asyncio.run(node.generate(image=picture, frame_load_cap=8, **{**wishes, "seed": 1}))
    asked = {"node": ANY, "values": wishes, "files": {"image": "fox.png"}}
    assert page.ask("POST", "/outlook", json=asked).json()["clips"] == ["bought"]
    assert emulator.charges == 2


@pytest.mark.parametrize("model", ["wan-ai/wan-3.0/image-to-video", "kling/kling-3.0/standard/image-to-video"])
@pytest.mark.parametrize("ratio", ["model default", "auto"])
def test_a_model_that_takes_a_last_picture_is_known_with_both(model, ratio, page, emulator, comfyui, picture):
    last = save(comfyui, "last.png", level=120)
    wishes = {"model": model, "duration": 0, "prompt": "A fox runs.", "seed": 0, "aspect_ratio": ratio}
    asked = {"node": ANY, "values": wishes, "files": {"image": "fox.png", "end_image": "last.png"}}
    before = page.ask("POST", "/outlook", json=asked).json()["clips"]
    try:
        inputs = {"image": picture, "end_image": last, "frame_load_cap": 8, **wishes}
        asyncio.run(load_pack().NODE_CLASS_MAPPINGS[ANY]().generate(**inputs))
    except InvalidInputError:
        assert before == []
        assert emulator.charges == 0
    else:
        assert before == ["new"]
        assert page.ask("POST", "/outlook", json=asked).json()["clips"] == ["bought"]
        assert emulator.charges == 1


def test_what_the_run_will_refuse_or_what_cannot_be_known_is_left_open(page, comfyui, picture):
    del comfyui, picture
    files = {"image": "fox.png"}
    for values in (
        {"prompt": "  "},
        {"seconds": 5},
        {"seed": -1},
        {"image_url": PICTURE_URL},
        {"size": "big"},
        {"fit": "?"},
    ):
        assert clips(page, files=files, **values) == []
    assert clips(page) == []
    assert clips(page, size="auto", image_url=PICTURE_URL) == []


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "/etc/hostname", "", ".", "fox.png/..", "no.png", "a\0b.png", "notes.txt", "//host/share.png"],
)
def test_no_file_outside_of_comfyuis_folders_is_looked_at(name, page, comfyui, picture, tmp_path):
    del picture
    Image.new("RGB", (64, 64)).save(tmp_path / "secret.png")
    (comfyui.folder / "input" / "notes.txt").write_text("no picture")
    assert look(page, files={"image": name}) == {"clips": [], "pictures": []}


@pytest.mark.parametrize("error", [RuntimeError, IndexError, KeyError, MemoryError])
def test_a_picture_that_comfyui_itself_cannot_read_is_left_to_the_run(error, page, picture, monkeypatch):
    del picture

    def fail(_self, _image):
        raise error

    monkeypatch.setattr(LoadImage, "load_image", fail)
    assert look(page, files={"image": "fox.png"}) == {"clips": [], "pictures": []}


def test_a_link_out_of_the_folder_is_not_followed(page, comfyui, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "secret.png")
    (comfyui.folder / "input" / "link.png").symlink_to(tmp_path / "secret.png")
    assert look(page, files={"image": "link.png"})["pictures"] == []


@pytest.mark.parametrize(("fit", "edges"), [("crop", 200), ("pad", 0)])
def test_the_picture_is_shown_as_it_will_be_sent(fit, edges, page, picture):
    del picture
    (shown,) = look(page, files={"image": "fox.png"}, fit=fit, prompt="")["pictures"]
    assert shown["size"] == "720x1280"
    answer = page.get(f"/pictures/{shown['id']}")
    assert answer.headers["Content-Type"] == "image/jpeg"
    image = Image.open(io.BytesIO(answer.content))
    assert image.size == (360, 640)
    assert image.getpixel((330, 5))[1] == pytest.approx(edges, abs=4)
    assert len(answer.content) < 100_000
    assert page.get(f"/pictures/{'0' * 64}").status_code == 404


def test_the_question_is_refused_without_the_pages_own_header_and_when_it_is_nonsense(page):
    asked = {"node": SORA, "values": sora(), "files": {}}
    assert page.ask("POST", "/outlook", json=asked, headers={**OURS, "X-Sora2Pro": "0"}).status_code == 403
    for wrong in ({}, {**asked, "values": []}, {**asked, "files": {"image": 5}}, {**asked, "node": None}):
        assert page.ask("POST", "/outlook", json=wrong).status_code == 400
    assert page.ask("POST", "/outlook", json={**asked, "values": sora(prompt="x" * 600_000)}).status_code == 400
    assert look(page, prompt="é" * 32_000, image_url=PICTURE_URL)["clips"] == ["new"]


def test_a_look_costs_nothing_and_asks_runcomfy_nothing(page, emulator, picture):
    del picture
    for node, values in ((SORA, {}), (ANY, {"model": PIXVERSE, "duration": 0})):
        assert look(page, node=node, files={"image": "fox.png"}, **values)["pictures"]
    assert (emulator.charges, [call for call in Call if emulator.seen(call)]) == (0, [])


@pytest.mark.parametrize("wrong", [None, 5, 1.5, True, "x", [], {}, "\ud800", -1, 10**400])
def test_a_value_of_the_wrong_kind_is_left_open_and_breaks_nothing(wrong, page, picture):
    del picture
    wishes = {"model": PIXVERSE, "duration": 0, "prompt": "A fox runs.", "seed": 0, "resolution": "model default"}
    more = {"custom_model_id": "", "extra_json": "", "image_url": "", "max_clips": 1, "audio": "model default"}
    for node, values in ((SORA, sora(max_clips=1)), (ANY, wishes | more)):
        for name in values:
            asked = {"node": node, "values": values | {name: wrong}, "files": {"image": "fox.png"}}
            assert page.ask("POST", "/outlook", json=asked).status_code == 200, (node, name)

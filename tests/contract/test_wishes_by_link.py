"""Values that only a link can bring, and pictures as they are sent: refused in words before money."""

import asyncio
import math

import pytest
from emulator import Call
from emulator.quirks import Quirk
from pack import load_pack
from sora2pro.nodes.errors import InvalidInputError
from sora2pro.nodes.run import current
from support.node_runs import pictures

MODEL = "pixverse/pixverse-v6/image-to-video"


@pytest.fixture
def started(start_emulator, point_to):
    def start(variables=None, **options):
        emulator = start_emulator(**options)
        point_to(emulator, **(variables or {}))
        current._engine.cache_clear()
        return emulator

    return start


def run(**inputs):
    node = load_pack().NODE_CLASS_MAPPINGS["RunComfyImageToVideo"]()
    given = {"image": pictures(0.5), "prompt": "A fox.", "model": MODEL, "duration": 0, "frame_load_cap": 8}
    return asyncio.run(node.generate(**{**given, **inputs}))


ODD = [
    *(("duration", value) for value in (5.5, 5.0, "5", None, True, -5, math.nan, math.inf, [5])),
    *(("seed", value) for value in (1.5, "7", None, True, -1)),
    *(("prompt", value) for value in (None, 5, ["A fox."], b"A fox.")),
    *((name, value) for name in ("resolution", "aspect_ratio", "audio") for value in (None, 720, True)),
    *((name, value) for name in ("image_url", "end_image_url", "negative_prompt") for value in (None, 5)),
    *(("extra_json", value) for value in (None, {}, {"duration": 15})),
    *((name, value) for name in ("model", "custom_model_id") for value in (None, 5, ["x"])),
]


@pytest.mark.parametrize(("name", "value"), ODD)
def test_a_value_of_another_type_is_refused_in_words_and_free(started, name, value):
    emulator = started()
    for rehearse in (False, True):
        with pytest.raises(InvalidInputError) as raised:
            run(**{name: value, "rehearse": rehearse})
        assert name in str(raised.value)
        assert "Nothing was sent" in str(raised.value)
    assert (emulator.charges, emulator.seen(Call.SUBMIT)) == (0, [])


@pytest.mark.parametrize("field", [{"pattern": "^https://"}, {"maxLength": 200}])
def test_a_picture_that_the_schema_takes_as_an_address_only_is_not_sent_as_data(started, field):
    quirks = {MODEL: Quirk(fields={"image": field})}
    emulator = started(quirks=quirks)
    with pytest.raises(InvalidInputError, match="'image'") as raised:
        run()
    assert "image_url" in str(raised.value)
    assert (emulator.charges, emulator.seen(Call.SUBMIT)) == (0, [])
    run(image=None, image_url="https://example.com/fox.png")
    assert emulator.charges == 1

"""Models and wishes for the tests of the catalogue."""

from pack import load_pack

load_pack()

from sora2pro.nodes.runcomfy.catalogue.roles import find_roles  # noqa: E402 - the pack has to be loaded first
from sora2pro.nodes.runcomfy.catalogue.schema import Role, parse_entry  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.catalogue.shipped import shipped_catalogue  # noqa: E402 - as above
from sora2pro.nodes.runcomfy.catalogue.wishes import Wishes  # noqa: E402 - as above

CATALOGUE = shipped_catalogue()


def document_with(properties, required=(), **changes):
    """A live answer for a model with these fields."""
    return {
        "model_id": "maker/model-1.0/image-to-video",
        "display_name": "Model",
        "kind": "Model",
        "categories": ["Image to Video"],
        "base_price_usd": 0.1,
        "price_unit": "second",
        "input_schema": {"type": "object", "properties": properties, "required": list(required)},
        **changes,
    }


def entry_with(properties, required=(), **changes):
    """A model with these fields; without a prompt it takes one all the same."""
    words = {} if any("prompt" in name for name in properties) else {"prompt": {"type": "string"}}
    return parse_entry(document_with({**words, **properties}, required, **changes))


def wishes_for(entry, **wishes):
    """A prompt and the pictures that the model needs, changed as said."""
    last = find_roles(entry).field_for(Role.LAST_IMAGE)
    needed = {"prompt": "A ship at sea", "has_image": True, "has_end_image": last is not None and last.is_required}
    return Wishes(**{**needed, **wishes})


def whole_body(translation, **pictures):
    """What is submitted; `pictures` are the connected ones by the node's input, as addresses or data URIs."""
    media = {one.field.name: one.wrap(one.address or pictures[one.widget]) for one in translation.media}
    return {**translation.body, **media}

"""The registry: three node ids, three classes.

ComfyUI imports every pack before it serves its page. So the files that it reads while it starts, which are the three nodes,
`run.clip_node` and `page.routes`, import nothing at the top that takes time. What they work with, the engine first of all, they
import inside the functions that ComfyUI calls later, under `packages_named`, which says in words what is missing.
"""

from .any_model import RunComfyImageToVideo
from .image_to_video import Sora2ProImageToVideo
from .page import routes
from .status import Sora2ProStatus

NODE_CLASS_MAPPINGS = {
    "Sora2ProImageToVideo": Sora2ProImageToVideo,
    "Sora2ProStatus": Sora2ProStatus,
    "RunComfyImageToVideo": RunComfyImageToVideo,
}

NODE_DISPLAY_NAME_MAPPINGS = {
    "Sora2ProImageToVideo": "Sora 2 Pro Image to Video (RunComfy)",
    "Sora2ProStatus": "RunComfy Request Status",
    "RunComfyImageToVideo": "Image to Video, any model (RunComfy)",
}

routes.register()

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]

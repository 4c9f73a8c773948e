"""The registry: three node ids, three classes."""

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

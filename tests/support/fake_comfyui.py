"""As much of ComfyUI as `nodes/host.py` knows, as modules for `sys.modules`: the same names, the same behaviour."""

import os
import sys
import types

import numpy as np
import torch
from PIL import Image


class InterruptProcessingException(Exception):  # noqa: N818 - ComfyUI's name
    """What a ComfyUI node raises when the user pressed Stop."""


class ExecutionBlocker:
    def __init__(self, message):
        self.message = message


class VideoFromFile:
    def __init__(self, file):
        self.file = file


class LoadImage:
    """Reads a picture of the input folder, as ComfyUI's node of this name does."""

    FUNCTION = "load_image"

    def load_image(self, image):
        path = sys.modules["folder_paths"].get_annotated_filepath(image)
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(np.float32) / 255
        return torch.from_numpy(pixels)[None], None


class ComfyUI:
    """A host that remembers what it was shown.

    `texts` are (text, node id, client id), `events` are (event, document, client id), `steps` the values of the bar.
    """

    def __init__(self, folder):
        self.folder = folder
        self.is_interrupted = False
        self.texts = []
        self.events = []
        self.steps = []
        self.context = types.SimpleNamespace(node_id="12", prompt_id="prompt-1", list_index=None)
        self.running = [(0, "prompt-1", {}, {"extra_pnginfo": {"workflow": {"id": "workflow-1"}}}, [])]
        self.server = types.SimpleNamespace(
            client_id="client-1",
            sockets={"client-1": "its socket"},
            routes="the route table",
            prompt_queue=types.SimpleNamespace(get_current_queue=lambda: (self.running, [])),
            send_progress_text=lambda text, node_id, sid=None: self.texts.append((text, node_id, sid)),
            send_sync=lambda event, document, sid=None: self.events.append((event, document, sid)),
        )

    def interrupt(self, value=True):
        self.is_interrupted = value

    def consume_interrupt(self):
        """ComfyUI's own look at the signal, which uses it up."""
        if self.is_interrupted:
            self.is_interrupted = False
            raise InterruptProcessingException

    def installed(self, monkeypatch):
        """This host, once the pack can import it."""
        for name, module in self._modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        return self

    def _modules(self):
        comfyui = self

        class ProgressBar:
            def __init__(self, total, node_id=None):
                self.total, self.node_id = total, node_id

            def update_absolute(self, value, total=None, _preview=None):
                comfyui.consume_interrupt()
                comfyui.steps.append((value, total, self.node_id))

        contents = {
            "comfy": {},
            "comfy.model_management": {
                "InterruptProcessingException": InterruptProcessingException,
                "interrupt_current_processing": self.interrupt,
                "processing_interrupted": lambda: self.is_interrupted,
                "throw_exception_if_processing_interrupted": self.consume_interrupt,
            },
            "comfy.utils": {"ProgressBar": ProgressBar},
            "comfy_execution": {},
            "comfy_execution.utils": {"get_executing_context": lambda: self.context},
            "comfy_execution.graph_utils": {"ExecutionBlocker": ExecutionBlocker},
            "comfy_api": {},
            "comfy_api.latest": {"InputImpl": types.SimpleNamespace(VideoFromFile=VideoFromFile)},
            "server": {"PromptServer": types.SimpleNamespace(instance=self.server)},
            "nodes": {"NODE_CLASS_MAPPINGS": {"LoadImage": LoadImage}},
            "folder_paths": {
                "get_input_directory": lambda: str(self.folder / "input"),
                "get_temp_directory": lambda: str(self.folder / "temp"),
                "get_annotated_filepath": lambda name: os.path.join(self.folder / "input", name),  # noqa: PTH118 - as ComfyUI does
                "get_output_directory": lambda: str(self.folder / "output"),
                "get_user_directory": lambda: str(self.folder / "user"),
                "get_system_user_directory": lambda name: str(self.folder / "user" / f"__{name}"),
            },
        }
        modules = {}
        for name, content in contents.items():
            modules[name] = types.ModuleType(name)
            vars(modules[name]).update(content)
        return modules

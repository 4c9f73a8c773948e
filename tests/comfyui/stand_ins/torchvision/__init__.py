"""Stands in for torchvision, which ComfyUI imports at start and these tests never call."""

from absent import declare_absent

declare_absent(__name__)

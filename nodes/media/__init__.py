"""Tensors to files and back. It knows neither HTTP, SQL nor ComfyUI."""

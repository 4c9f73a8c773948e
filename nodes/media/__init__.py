"""Tensors to files and back. It knows neither HTTP, SQL nor ComfyUI."""

FITS = ("crop", "pad", "blur pad", "stretch")  # how a picture is brought to a size; the first is the usual one

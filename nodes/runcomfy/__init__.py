"""The engine: HTTP, money and disk. It knows neither torch nor ComfyUI."""

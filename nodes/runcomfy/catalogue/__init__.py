"""What RunComfy's image-to-video models take, as data, and how a wish becomes the request of one of them. Pure."""

"""What the web extension may ask of the server. Nothing here can spend."""

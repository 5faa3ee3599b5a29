"""latentworld: walk the latent plane of a diffusion model, feel where its meaning breaks, and film it.

Importing this package imports no torch, no window, no socket: take what you need from its modules.
"""

__version__ = "0.1.0"

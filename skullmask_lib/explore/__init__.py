"""Sliders over views, the app that holds all of them, and its server.

The only importer of ipywidgets and Voila.
"""

from .app import App
from .explorers import Explorer, sliders

__all__ = ["App", "Explorer", "sliders"]

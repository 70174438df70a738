"""Sliders over views, the app that holds all of them, its server, and the tracer.

The only importer of ipywidgets and Voila.
"""

from .app import App
from .explorers import Explorer, sliders
from .tracer import Tracer

__all__ = ["App", "Explorer", "Tracer", "sliders"]

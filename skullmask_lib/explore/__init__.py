"""Sliders on the views, the app that holds all of them, and its server: the only importer of ipywidgets and Voila."""

from .explorers import App, Explorer, sliders

__all__ = ["App", "Explorer", "sliders"]

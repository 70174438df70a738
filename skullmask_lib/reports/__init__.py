"""Executed notebooks as pages: parameters, running, one report or a grid of them, and provenance."""

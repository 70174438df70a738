"""Slices in, masks out: every format that is read or written, and where files lie."""

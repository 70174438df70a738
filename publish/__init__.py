"""What leaves the clone: the site, the doors to live lessons, and the zips for a class.

Scripts and their helpers live here. The library never imports them, and they change nothing in the
clone. Sphinx reads its settings from ``docs/conf.py``.
"""

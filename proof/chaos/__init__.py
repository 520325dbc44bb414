"""Chaos: the real processes under real crashes, judged by what everybody outside was told."""

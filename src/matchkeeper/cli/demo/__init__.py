"""`matchkeeper demo`: everything at once on this machine, with controls to break it."""

from matchkeeper.cli.demo.run import DemoOptions, run_demo

__all__ = ["DemoOptions", "run_demo"]

"""Opens the live page, where there is somebody to see it."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Mapping
from contextlib import suppress


def there_is_a_screen(environment: Mapping[str, str], *, platform: str, terminal: bool) -> bool:
    """Whether a browser would open a window here: not in this terminal, nor on another machine."""
    if not terminal or "SSH_CONNECTION" in environment or "CI" in environment:
        return False
    if platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def open_page(url: str) -> None:
    """Opens it beside everything else, so that a browser that hangs or fails holds up nothing."""

    def show() -> None:
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(url)

    threading.Thread(target=show, name="browser", daemon=True).start()

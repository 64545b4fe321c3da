"""Names of files and folders as people can read them."""

from __future__ import annotations

import os
import unicodedata


def readable(name: str) -> str:
    """A name that can be written, the same for what looks the same, another for another.

    Bytes that are no UTF-8, which Linux allows, are written out (`caf\\xe9`), and so are signs that
    control a terminal (`\\x1b`); letters with accents, which macOS takes apart, are put together.
    """
    if name.isascii() and name.isprintable():
        return name
    text = unicodedata.normalize("NFC", os.fsencode(name).decode(errors="backslashreplace"))
    controls = {ord(c): f"\\x{ord(c):02x}" for c in text if unicodedata.category(c) == "Cc"}
    return text.translate(controls)

"""Names of files and folders as people can read them."""

from __future__ import annotations

import os
import unicodedata


def readable(name: str) -> str:
    """A name that can be written, the same for what looks the same, another for another.

    Bytes that are no UTF-8, which Linux allows, are written out (`caf\\xe9`), and letters with
    accents, which macOS takes apart, are put together.
    """
    if name.isascii():
        return name
    return unicodedata.normalize("NFC", os.fsencode(name).decode(errors="backslashreplace"))

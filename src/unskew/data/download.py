"""Fetching one file: resumed when cut off, checked, and never seen half-written."""

from __future__ import annotations

import errno
import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from unskew.errors import UserError

CHUNK = 1 << 18
TIMEOUT = 30
"""Seconds without an answer before a server counts as unreachable."""


def download(
    url: str,
    path: Path,
    md5: str,
    advice: str,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Fetch `url` to `path` unless it is there; what a cut-off attempt left is gone on from.

    Parameters
    ----------
    md5: of the whole file, in hex, as its publisher states it.
    advice: ends the message when the server cannot be reached: what to do without it.
    progress: called with (what, bytes done, bytes in all).

    Raises
    ------
    UserError: the server cannot be reached, or what it sent has another checksum.
    """
    if path.exists():
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(path.name + ".lock"))
        lock.acquire()
    except OSError as error:
        raise UserError(
            f"cannot write downloads to {path.parent} ({error.strerror}): set UNSKEW_CACHE to "
            f"another folder, or {advice}"
        ) from None
    try:
        if path.exists():
            return path
        try:
            fetched = _fetch(url, part, progress)
            found = file_md5(fetched)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise UserError(
                    f"cannot download to {path.parent}: the disk is full; make room there or set "
                    "UNSKEW_CACHE to another folder"
                ) from None
            told = str(getattr(error, "reason", None) or error) or type(error).__name__
            reason = " ".join(told.split())  # it may hold what a server sent
            raise UserError(f"cannot download {url} ({reason}); {advice}") from None
        if found != md5:
            fetched.unlink()
            raise UserError(
                f"{url} gave a file with checksum {found} instead of {md5}: try again, or {advice}"
            )
        fetched.replace(path)
        part.unlink(missing_ok=True)
    finally:
        lock.release()
    return path


def file_md5(path: Path) -> str:
    """MD5 of a file, in hex; for telling a damaged download, not for security."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _fetch(url: str, part: Path, progress: Callable[[str, int, int], None] | None) -> Path:
    """The file that holds what is hoped to be the whole: `part`, or another if the server does not
    go on from what that holds. A login page of a network answers so, and is not to replace it.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send: the checksum will tell if that is right
            return part
        raise
    with answer:
        resumed = answer.status == 206
        done = have if resumed else 0
        to = part if resumed or not have else part.with_name(f"{part.name}.anew")
        total = done + int(answer.headers.get("Content-Length") or 0)
        with to.open("ab" if resumed else "wb") as file:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(f"downloading {part.stem}", done, total)
    if total and done < total:
        if to != part:
            to.unlink()
        raise OSError(f"the connection ended after {done} of {total} bytes")
    return to

"""What is read and what is written are kept apart."""

from __future__ import annotations

from pathlib import Path

from unskew.errors import UserError


def check_data(data: str) -> None:
    """An empty name would be the current folder, and is a shell's variable that nobody has set.

    Raises
    ------
    UserError: it is empty, or not UTF-8, which the files of a run are.
    """
    try:
        data.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"--data {data.encode(errors='replace').decode()!r} holds bytes that are no UTF-8: "
            "rename the folder or archive"
        ) from None
    if not data.strip():
        raise UserError("--data is empty: give digits, cifar10, or a folder or archive, or . for "
                        "the current folder")  # fmt: skip


def out_folder(text: str | Path) -> Path:
    """The folder that `--out` names.

    Raises
    ------
    UserError: it is empty, which would be the current folder.
    """
    if not str(text).strip():
        raise UserError("--out is empty: name a folder, or . for the current one")
    return Path(text)


def check_out(out: Path, data: str) -> None:
    """What is written must not lie among the images: figures of a report would be a class of them.

    Raises
    ------
    UserError: `out` lies in the folder of the data.
    """
    from unskew.data.sources import KNOWN

    try:
        folder = Path(data).expanduser()
    except RuntimeError:  # of "~somebody": whoever opens it says so
        return
    if data not in KNOWN and folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{out} lies in the data's folder {data}, where what is written would be taken for "
            "images: name a folder outside of it with --out"
        )

"""Files are written whole, whoever else writes them."""

import os

from unskew.training.files import PART, whole


def test_two_writers_of_one_file_do_not_meet(tmp_path, monkeypatch):
    """Machines that share a folder give their processes the same numbers."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path = tmp_path / "results.csv"
    with whole(path) as ours:
        ours.write_text("ours")
        with whole(path) as theirs:
            theirs.write_text("theirs")
        assert path.read_text() == "theirs"
        assert ours.name.endswith(PART)
    assert path.read_text() == "ours"
    assert [p.name for p in tmp_path.iterdir()] == ["results.csv"]

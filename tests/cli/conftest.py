"""The tiny study's fixtures, and the command line without a process for each command."""

import sys
from types import SimpleNamespace

import pytest
import torch

from tests.tiny_study import cache, data, finished, squares, tiny  # noqa: F401
from unskew.cli.main import main


@pytest.fixture
def unskew(capsys, monkeypatch):
    """Runs a command in this process and gives what it said, as `subprocess.run` does.

    Importing PyTorch anew for each takes minutes in all; some tests start processes all the same.
    """

    def run(*arguments, cwd=None, **environment):
        capsys.readouterr()
        threads = torch.get_num_threads()
        with monkeypatch.context() as patch:
            if cwd is not None:
                patch.chdir(cwd)
            patch.setattr(sys, "argv", ["unskew", *map(str, arguments)])
            for name, value in ({"NO_COLOR": "1", "COLUMNS": "200"} | environment).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        torch.set_num_threads(threads)
        said = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=said.out, stderr=said.err)

    return run

"""A remedy in a file of its own, and what keeps one test's from the others."""

import sys

import pytest

from unskew.remedies import plugins
from unskew.remedies.base import Remedy
from unskew.remedies.registry import names

CALM = '''
from dataclasses import dataclass

from unskew import Remedy


@dataclass(frozen=True)
class Calm(Remedy):
    """Does nothing, calmly."""

    name = "calm"
    depth: float = 1.0
'''


@pytest.fixture
def forgotten(monkeypatch):
    """What a test loads is known to no other."""
    names()
    monkeypatch.setattr(Remedy, "known", dict(Remedy.known))
    monkeypatch.setattr(plugins, "_modules", {})
    monkeypatch.setattr(plugins, "_digests", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv(plugins.VARIABLE, raising=False)
    monkeypatch.setenv(plugins.VARIABLE, "")

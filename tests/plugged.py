"""A remedy and a network in files of their own, and what keeps one test's from the others."""

import sys

import pytest

from unskew import plugins
from unskew.models.base import Network
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


THIN = '''
from torch import Tensor, nn

from unskew import Network


class Thin(Network):
    """The mean colour, and a layer."""

    name = "thin"

    def __init__(self, num_classes: int, image_size: int, *, width: int = 8) -> None:
        super().__init__()
        self.colours = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, width))
        self.num_features = width
        self.classifier = nn.Linear(width, num_classes)

    def features(self, images: Tensor) -> Tensor:
        return self.colours(images)
'''


@pytest.fixture
def forgotten(monkeypatch):
    """What a test loads is known to no other."""
    names()
    monkeypatch.setattr(Remedy, "known", dict(Remedy.known))
    monkeypatch.setattr(Network, "known", dict(Network.known))
    monkeypatch.setattr(plugins, "_modules", {})
    monkeypatch.setattr(plugins, "_digests", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv(plugins.VARIABLE, raising=False)
    monkeypatch.setenv(plugins.VARIABLE, "")

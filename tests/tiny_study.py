"""A study small enough to run in a test: two arms and a choice, a few steps each."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from tests.conftest import make_images
from unskew.data.sources import open_data
from unskew.study.spec import Study

TEXT = """
name = "tiny"
seeds = 2
data = "digits"
[title]
en = "A tiny study"
zh = "小型研究"
[recipe]
model = "cnn"
epochs = 2
max_steps = 6
batch_size = 50
learning_rate = 1e-3
[[arms]]
name = "wd{weight_decay}"
label.en = "decay {weight_decay}"
label.zh = "衰减 {weight_decay}"
grid = { weight_decay = [0, 1e-3] }
recipe.skew = { profile = "step", classes = [0, 1, 2], keep = 0.2 }
[[arms]]
name = "full"
label.en = "full data"
[[selections]]
name = "decay"
title = "Decay"
arms = ["wd*"]
baseline = "wd0"
field = "weight_decay"
[[comparisons]]
title = "Does decay help?"
pairs = [["wd1e-3", "wd0"], ["wd0", "full"]]
[published]
source = "nobody <script>alert(1)</script>"
figures = [{ arm = "full", metric = "accuracy", value = 0.5 }]
claims = [
    { text = "Decay is best.", selection = "decay", value = 1e-3 },
    { text = "Decay gains much.", selection = "decay", metric = "accuracy", low = 0.5 },
    { text = "It learns.", arm = "full", metric = "accuracy", low = 0.0, follows = "So it does." },
    { text="Skew helps.", arm="wd0", than="full", metric="accuracy", low=2, fails="No." },
]
"""


def once(tmp_path_factory, name, make):
    """What `make(path)` puts at a path, made once for all of xdist's processes and all rooms."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    path = base / name
    with FileLock(base / f"{name}.lock"):
        if not path.exists():
            unfinished = base / f"unfinished-{name}"
            make(unfinished)
            unfinished.rename(path)
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    folder = once(tmp_path_factory, "cache", Path.mkdir)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNSKEW_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def squares(cache, tmp_path_factory):
    """An archive of the small images that the other rooms' tests use."""
    return once(tmp_path_factory, "squares.zip", write_squares)


def write_squares(path):
    with zipfile.ZipFile(path, "w") as archive:
        for half, images in (("train", make_images(240, 4, 0)), ("test", make_images(80, 4, 1))):
            for n, (pixels, label) in enumerate(zip(images.images, images.labels, strict=True)):
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "PNG")
                archive.writestr(f"{half}/class {label}/{n}.png", buffer.getvalue())


@pytest.fixture(scope="session")
def data(squares):
    return open_data(str(squares))


@pytest.fixture(scope="session")
def tiny(squares):
    return Study.from_toml(TEXT, "tiny.toml").override(data=str(squares))


@pytest.fixture(scope="session")
def finished(tiny, data, tmp_path_factory):
    """The folder of the tiny study after it has run."""
    return once(tmp_path_factory, "finished", lambda out: run_whole(tiny, data, out))


def run_whole(study, data, out):
    """Run a study that has no failure."""
    from unskew.study.execute import execute_study

    assert execute_study(study, data, out) == {}

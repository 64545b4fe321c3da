"""A step that is replayed does what the step does, once a call."""

from contextlib import contextmanager

import pytest
import torch

from unskew.training import captured
from unskew.training.captured import PLAIN_CALLS, Captured


class Counter:
    """A step that changes what it holds: adds its input and returns the sum."""

    def __init__(self):
        self.total, self.python_calls = torch.zeros(()), 0

    def __call__(self, amount):
        self.python_calls += 1
        self.total += amount
        return (self.total * 1,)


class Graph:
    """A stand-in for a CUDA graph: records the step without running it, and replays it."""

    def replay(self):
        self.count.total += self.amount
        self.out.copy_(self.count.total)


@pytest.fixture
def streams(monkeypatch):
    """PyTorch's streams and current device without a GPU; a log of what is made current."""
    log = []

    @contextmanager
    def device(which):
        log.append(which)
        yield

    cuda = captured.torch.cuda
    monkeypatch.setattr(cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(cuda, "device", device)
    monkeypatch.setattr(cuda, "Stream", lambda which: f"stream of {which}")
    monkeypatch.setattr(cuda, "current_stream", lambda which: f"stream before on {which}")
    monkeypatch.setattr(cuda, "set_stream", log.append)
    captured._stream.cache_clear()
    yield log
    captured._stream.cache_clear()  # or a test on a GPU would be given one of these


@pytest.fixture
def recording(monkeypatch, streams):
    """PyTorch's recording, without a GPU; what is recorded is undone, as if it had not run."""
    counter = Counter()

    @contextmanager
    def graph(made, stream):
        assert stream == "stream of cuda:1"
        assert streams[-1] == torch.device("cuda:1")
        before, calls = counter.total.clone(), counter.python_calls
        yield
        assert counter.python_calls == calls + 1
        counter.total.copy_(before)
        made.count = counter

    class Recorded(Captured):
        def _record(self, inputs):
            super()._record(inputs)
            if self._graph is not None:
                self._graph.amount, self._graph.out = self._inputs[0], self._outputs[0]

    monkeypatch.setattr(captured.torch.cuda, "graph", graph)
    return counter, Recorded(counter, torch.device("cuda:1"))


def test_each_call_changes_what_the_step_holds_once(recording, streams):
    counter, step = recording
    sums = [float(step(torch.tensor(float(amount)))[0]) for amount in range(1, 9)]
    assert sums == [1, 3, 6, 10, 15, 21, 28, 36]
    assert step.reason == ""
    assert counter.python_calls == PLAIN_CALLS + 1  # then only the recording calls it
    # Recorded once and replayed five times, each on its own device, whichever is the current one.
    assert streams == [torch.device("cuda:1")] * 6


def test_where_recording_fails_the_step_is_called_and_says_why(monkeypatch, streams):
    @contextmanager
    def graph(made, stream):
        raise RuntimeError("operation not permitted\nwhen stream is capturing")
        yield

    monkeypatch.setattr(captured.torch.cuda, "graph", graph)
    counter = Counter()
    step = Captured(counter, torch.device("cuda"))
    sums = [float(step(torch.tensor(1.0))[0]) for _ in range(6)]
    assert sums == [1, 2, 3, 4, 5, 6]
    assert step.reason == "not recorded: operation not permitted"
    assert streams[-1] == "stream before on cuda", "what the recording made current is undone"


def test_on_a_cpu_it_is_the_function():
    counter = Counter()
    step = Captured(counter, torch.device("cpu"))
    for _ in range(PLAIN_CALLS + 3):
        step(torch.tensor(1.0))
    assert counter.python_calls == PLAIN_CALLS + 3
    assert step.reason == "no GPU"

"""Every network of the registry through the same checks, then what the coursework says of two."""

import copy

import pytest
import torch

from unskew.errors import UserError
from unskew.models.registry import build, description, names
from unskew.models.summary import summarise

OPTIONS = {"lstm_misread": {"reading": "scrambled"}}
ALL = [(name, OPTIONS.get(name, {})) for name in names()]
ALL.append(("lstm_misread", {"reading": "batch_as_time"}))


@pytest.mark.parametrize(("name", "options"), ALL)
def test_logits_are_the_classifier_of_the_features(name, options):
    network = build(name, 7, 32, options).eval()
    images = torch.randn(3, 3, 32, 32)
    features = network.features(images)
    assert features.shape == (3, network.num_features)
    logits = network(images)
    assert logits.shape == (3, 7)
    assert torch.equal(logits, network.classifier(features))


@pytest.mark.parametrize(("name", "options"), ALL)
def test_every_parameter_gets_a_gradient(name, options):
    network = build(name, 5, 32, options)
    network(torch.randn(4, 3, 32, 32)).square().mean().backward()
    without = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


@pytest.mark.parametrize(("name", "options"), ALL)
def test_memory_format_changes_nothing(name, options):
    network = build(name, 5, 32, options).eval()
    images = torch.randn(4, 3, 32, 32)
    plain = network(images)
    last = network.to(memory_format=torch.channels_last)(
        images.to(memory_format=torch.channels_last)
    )
    torch.testing.assert_close(plain, last, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "options"), ALL)
def test_the_same_seed_gives_the_same_weights(name, options):
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build(name, 4, 32, options).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize(("name", "options"), ALL)
def test_summary_counts_what_is_there_and_changes_nothing(name, options):
    network = build(name, 10, 32, options).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    rows = summarise(network)
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in network.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert network.training
    assert rows[-1].output_shape == (10,)
    assert description(name)


@pytest.mark.parametrize(("name", "options"), ALL)
def test_a_network_without_memory_has_the_same_summary(name, options):
    real = summarise(build(name, 10, 64, options), (64, 64, 3))
    with torch.device("meta"):
        network = build(name, 10, 64, options)
    assert summarise(network, (64, 64, 3)) == real


def test_a_summary_shows_the_layers_of_a_fused_network_and_leaves_every_modules_mode():
    plain = build("whitened_cnn", 10)
    network = copy.deepcopy(plain)
    network.fused = True
    network.groups[0].norm1.eval()
    assert summarise(network) == summarise(plain)
    assert network.fused
    assert network.training
    assert not network.groups[0].norm1.training


def test_a_whole_number_may_be_written_with_a_point():
    assert build("cnn", 4, 32, {"hidden": 1e2}).num_features == 100


def test_a_network_that_no_memory_holds_is_one_sentence():
    with pytest.raises(UserError, match="it is too large for this machine's memory"):
        build("cnn", 10**13)


def test_no_classes_at_all_are_refused():
    with pytest.raises(UserError, match="num_classes = 0: a network needs 1 class or more"):
        build("cnn", 0)


def test_cnn_is_the_reports():
    rows = summarise(build("cnn", 10, 32))
    kinds = [row.kind for row in rows]
    assert kinds.count("Conv2d 3×3") == 6
    assert kinds.count("MaxPool2d 2×2") == 3
    assert kinds.count("BatchNorm2d") == 6
    assert kinds.count("Linear") == 2
    pools = [row.output_shape for row in rows if row.kind.startswith("MaxPool")]
    assert pools[-1] == (128, 4, 4)
    # By hand: 9 * in * out * pixels of each convolution, then the two linear layers.
    by_hand = 9 * (
        (3 * 32 + 32 * 32) * 1024 + (32 * 64 + 64 * 64) * 256 + (64 * 128 + 128 * 128) * 64
    )
    assert sum(row.multiply_adds for row in rows) == by_hand + 2048 * 256 + 256 * 10


def test_lstm_is_the_reports():
    network = build("lstm", 10, 32)
    assert network.recurrent.num_layers == 2
    assert network.recurrent.hidden_size == 256
    assert network.recurrent.input_size == 96
    by_hand = 32 * 4 * 256 * ((96 + 256) + (256 + 256)) + 256 * 256 + 256 * 10
    assert sum(row.multiply_adds for row in summarise(network)) == by_hand


def test_lstm_reads_rows_from_top_to_bottom():
    from unskew.models.lstm import rows

    images = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).float()
    steps = rows(images)
    assert steps.shape == (2, 4, 15)
    assert torch.equal(steps[1, 2].reshape(3, 5), images[1, :, 2, :])


def test_what_is_taken_for_time_changes_no_products():
    options = {"reading": "batch_as_time"}
    misread = summarise(build("lstm_misread", 10, 32, options))
    right = summarise(build("lstm", 10, 32))
    assert [row.multiply_adds for row in misread] == [row.multiply_adds for row in right]


def test_lstm_sees_only_its_own_image_and_the_misreading_sees_others():
    torch.manual_seed(0)
    images = torch.randn(4, 3, 32, 32)
    changed = images.clone()
    changed[0] += 1
    for name, options, leaks in [
        ("lstm", {}, False),
        ("lstm_misread", {"reading": "scrambled"}, False),
        ("lstm_misread", {"reading": "batch_as_time"}, True),
    ]:
        network = build(name, 10, 32, options).eval()
        same = torch.equal(network(images)[3], network(changed)[3])
        assert same is not leaks


def test_misread_batch_as_time_sees_only_the_last_row():
    network = build("lstm_misread", 10, 32, {"reading": "batch_as_time"}).eval()
    images = torch.randn(3, 3, 32, 32)
    changed = images.clone()
    changed[:, :, :-1] = 0
    assert torch.equal(network(images), network(changed))


def test_resnet32_has_the_papers_depth_and_size():
    rows = summarise(build("resnet32", 10, 32))
    assert sum(row.kind.startswith("Conv2d") for row in rows) == 31
    # He et al. 2016, table 6: 0.46 million parameters, 31 convolutions and one linear layer.
    assert round(sum(row.parameters for row in rows) / 1e6, 2) == 0.46


@pytest.mark.parametrize(
    ("name", "size", "options", "words"),
    [
        ("cnm", 32, {}, "did you mean 'cnn'"),
        ("transformer", 32, {}, "known are"),
        ("cnn", 30, {}, "multiple of 8"),
        ("cnn", 32, {"width": 3}, "no option 'width': its options are hidden"),
        ("lstm_misread", 32, {}, "reading"),
        ("lstm_misread", 32, {"reading": "upside down"}, "upside down"),
        ("resnet32", 2, {}, "too few"),
        ("cnn", 32, {"hidden": -1}, "hidden = -1: choose 1 or more"),
        ("lstm", 32, {"hidden_size": 0}, "hidden_size = 0"),
        ("lstm_misread", 32, {}, "'scrambled', 'batch_as_time': --model-option reading=scrambled"),
        ("cnn", 32, {"hidden": "abc"}, "hidden = 'abc' should be a whole number"),
        ("cnn", 32, {"hidden": (1, 2)}, "should be a whole number"),
        ("cnn", 32, {"hidden": 1.5}, "hidden = 1.5 should be a whole number"),
        ("cnn", 32, {"hidden": True}, "hidden = True should be a whole number"),
        ("cnn", 32, {"hidden": 10**23}, "but 1,000,000 is the most"),
    ],
)
def test_bad_requests_are_one_clear_sentence(name, size, options, words):
    with pytest.raises(UserError, match=words):
        build(name, 10, size, options)

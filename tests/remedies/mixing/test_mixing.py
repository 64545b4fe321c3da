import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tests.remedies.scene import FACTS, make_batch, make_facts
from unskew.data.randomness import stream
from unskew.errors import UserError
from unskew.remedies.base import Batch, Remedy
from unskew.remedies.criterion import Criterion
from unskew.remedies.mixing.pairs import box
from unskew.remedies.registry import make_remedy

INDICES = torch.arange(0, 51, 3)


def mixed(name, seed=0, facts=FACTS, **options):
    remedy = make_remedy(name, {name: options})
    batch = make_batch(INDICES, facts, Remedy())
    return batch, remedy.transform(batch, facts, stream(seed, "transform"))


def numbered(count=6):
    """A batch whose pixels are the image's number, so that each pixel tells where it is from."""
    images = torch.arange(1.0, count + 1)[:, None, None, None].expand(count, 3, 8, 10).clone()
    return Batch(images, torch.arange(count) % 4, torch.arange(count))


@pytest.mark.parametrize("name", ["mixup", "remix"])
def test_images_are_averaged_with_a_permutation_of_the_batch(name):
    batch = numbered()
    changed = make_remedy(name).transform(batch, FACTS, stream(1, "t"))
    rng = stream(1, "t")
    lam, other = rng.beta(1, 1), rng.permutation(6)
    own = np.arange(1, 7)
    expected = lam * own + (1 - lam) * own[other]
    np.testing.assert_allclose(changed.images[:, 1, 2, 3].double(), expected, rtol=1e-6)
    assert changed.other_labels.tolist() == batch.labels[other].tolist()
    assert changed.labels is batch.labels


def test_the_mixed_loss_is_the_cross_entropy_of_the_mixed_label():
    batch, changed = mixed("mixup")
    logits = torch.from_numpy(stream(0, "logits").normal(size=(len(INDICES), 4))).float()
    one_hot = np.eye(4)
    share = changed.share.double().numpy()[:, None]
    soft = share * one_hot[batch.labels] + (1 - share) * one_hot[changed.other_labels]
    expected = -(soft * F.log_softmax(logits.double(), 1).numpy()).sum(1).mean()
    assert Criterion(None, None)(logits, changed).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["mixup", "remix"])
@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_lambda_is_beta_distributed(name, alpha):
    # τ = 0 leaves Remix's labels alone, so that its share is λ as well.
    options = {"alpha": alpha} | ({"tau": 0.0} if name == "remix" else {})
    shares = np.array([mixed(name, seed, **options)[1].share[0].item() for seed in range(400)])
    assert shares.mean() == pytest.approx(0.5, abs=0.06)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.2)


def test_cutmix_pastes_a_rectangle_whose_area_is_the_other_labels_share():
    batch, sizes = numbered(), set()
    for seed in range(60):
        remedy = make_remedy("cutmix", {"cutmix": {"probability": 1.0}})
        changed = remedy.transform(batch, FACTS, stream(seed, "t"))
        own = torch.arange(1, 7)[:, None, None]
        foreign = changed.images[:, 0] != own
        for k in range(6):
            pasted = changed.images[k, 0][foreign[k]].unique()
            assert len(pasted) <= 1
            assert all(batch.labels[int(value) - 1] == changed.other_labels[k] for value in pasted)
        some = foreign.any(dim=0)
        rows, columns = some.any(1).sum(), some.any(0).sum()
        assert some.sum() == rows * columns
        kept = 1 - rows * columns / 80
        # A batch that is mixed with itself at some place shows the others' rectangle only.
        assert (changed.share == changed.share[0]).all()
        if some.any():
            assert changed.share[0].item() == pytest.approx(kept.item())
        sizes.add(round(kept.item(), 3))
    assert len(sizes) > 10


def test_cutmix_mixes_as_often_as_it_is_told():
    for probability in (0.25, 0.5, 1.0):
        happened = [
            mixed("cutmix", seed, probability=probability)[1].share is not None
            for seed in range(300)
        ]
        assert np.mean(happened) == pytest.approx(probability, abs=0.09)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 100))
def test_a_box_lies_in_the_image_and_tells_its_area(height, width, lam, seed):
    rows, columns, kept = box(height, width, lam, stream(seed, "box"))
    image = np.zeros((height, width))
    image[rows, columns] = 1
    assert 0 <= rows.start <= rows.stop <= height
    assert 0 <= columns.start <= columns.stop <= width
    assert kept == pytest.approx(1 - image.mean())
    assert kept >= lam - 1e-9


def remix_share(lam, own, other, kappa, tau):
    """The three cases of the paper, one pair at a time."""
    if own / other >= kappa and lam < tau:
        return 0.0
    if own / other <= 1 / kappa and 1 - lam < tau:
        return 1.0
    return lam


@given(
    st.integers(0, 200),
    st.floats(1.1, 20),
    st.floats(0, 1),
    st.lists(st.integers(1, 300), min_size=4, max_size=4),
)
def test_remix_gives_labels_by_the_papers_three_cases(seed, kappa, tau, counts):
    facts = make_facts(counts)
    batch = numbered()
    remedy = make_remedy("remix", {"remix": {"kappa": kappa, "tau": tau}})
    changed = remedy.transform(batch, facts, stream(seed, "t"))
    lam = stream(seed, "t").beta(1, 1)
    for k in range(6):
        own, other = counts[batch.labels[k]], counts[changed.other_labels[k]]
        expected = remix_share(lam, own, other, kappa, tau)
        assert changed.share[k].item() == pytest.approx(expected, abs=1e-6)


def test_remix_favours_the_rare_class_at_the_limits_of_its_rule():
    facts = make_facts([30, 10, 9])
    batch = Batch(torch.zeros(2, 3, 8, 8), torch.tensor([0, 1]), torch.arange(2))
    shares = set()
    for seed in range(40):
        changed = make_remedy("remix").transform(batch, facts, stream(seed, "t"))
        lam = stream(seed, "t").beta(1, 1)
        if changed.other_labels.tolist() == [1, 0]:
            # 30/10 is exactly κ, which counts: below a half the mixture is all class 1's.
            assert changed.share.tolist() == pytest.approx(
                [0.0, lam] if lam < 0.5 else [lam, 1.0], abs=1e-6
            )
            shares.add(lam < 0.5)
    assert shares == {True, False}


def test_two_mixing_remedies_are_refused():
    with pytest.raises(UserError, match="both mix images"):
        make_remedy("mixup+cutmix")

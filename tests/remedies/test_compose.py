"""What goes together, and in which order it acts."""

from dataclasses import dataclass
from itertools import combinations

import pytest
import torch

from tests.remedies.scene import FACTS, rehearse
from unskew.data.randomness import stream
from unskew.errors import UserError
from unskew.remedies.base import Adjustment, HeldOut, Remedy
from unskew.remedies.compose import WHY_ONE, Composite, compose
from unskew.remedies.registry import make_remedy, names


@dataclass(frozen=True)
class Doubles(Remedy):
    def loss(self, facts, epoch):
        return lambda logits, labels: 2 * torch.ones(len(labels))

    def adjustment(self, facts, held_out):
        return Adjustment(torch.full((2,), 2.0), torch.tensor([1.0, 0.0]), "doubled")


@dataclass(frozen=True)
class Shifts(Remedy):
    def after_training(self, network, facts):
        network.append("shifted")

    def adjustment(self, facts, held_out):
        return Adjustment(torch.ones(2), held_out.unlabelled.mean(dim=0), "shifted")


@dataclass(frozen=True)
class Marks(Remedy):
    views = 2
    held_out = 0.25

    def after_training(self, network, facts):
        network.append("marked")


def test_nothing_and_one_need_no_composite():
    assert compose([]) == Remedy()
    assert compose([Marks()]) == Marks()


def test_parts_fill_their_own_hooks_and_follow_one_another():
    whole = compose([Doubles(), Shifts(), Marks()])
    assert isinstance(whole, Composite)
    assert whole.overrides() == {"loss", "adjustment", "after_training"}
    assert whole.loss(FACTS, 0)(torch.zeros(3, 2), torch.zeros(3)).tolist() == [2, 2, 2]
    log = []
    whole.after_training(log, FACTS)
    assert log == ["shifted", "marked"]
    assert whole.draw(FACTS, 0, stream(0, "x")) is None


def test_what_any_part_needs_the_whole_needs():
    whole = compose([Doubles(), Marks()])
    assert (whole.views, whole.held_out, whole.corrects_prior) == (2, 0.25, False)
    assert make_remedy("focal+inverse_frequency").corrects_prior
    assert make_remedy("focal+weight_decay_by_layer").divides_decay
    assert not make_remedy("focal+mixup").divides_decay


def test_adjustments_follow_one_another_each_on_what_the_last_has_left():
    logits = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    whole = compose([Doubles(), Shifts()]).adjustment(FACTS, HeldOut(logits))
    first = logits * 2 + torch.tensor([1.0, 0.0])
    torch.testing.assert_close(whole(logits), first + first.mean(dim=0))
    assert whole.note == "doubled; shifted"


def test_adjustments_may_be_fitted_on_labelled_images_of_the_adjusted_logits():
    @dataclass(frozen=True)
    class Wants(Remedy):
        def adjustment(self, facts, held_out):
            assert held_out.labels.tolist() == [0, 1]
            return Adjustment(torch.ones(2), -held_out.logits[0])

    labelled = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    held_out = HeldOut(torch.zeros(1, 2), labelled, torch.tensor([0, 1]))
    whole = compose([Doubles(), Wants()]).adjustment(FACTS, held_out)
    assert whole(labelled)[0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("oversample+oversample", "'oversample' is named twice"),
        ("oversample+oversample_augmented", "both decide which images an epoch shows"),
        ("focal+ldam", "'focal' and 'ldam' both replace the loss"),
        ("drw+effective_number", "both weight the classes"),
        ("balanced_softmax+inverse_frequency", "both correct for the class prior"),
        ("oversample+logit_adjustment", "both correct for the class prior"),
        ("influence_balanced+focal", "both replace the loss"),
        ("seql+influence_balanced", "both replace the loss"),
        ("ldam+drw+focal", "'ldam' and 'focal' both replace the loss"),
        ("ldam+glmc", "'ldam' and 'glmc' both replace the loss"),
        ("ldam+tau_normalised", "no say in the cosines of 'ldam'"),
        ("max_norm+ldam", "'max_norm' changes the lengths"),
        ("max_norm+l2_normalised", "'max_norm' acts by .* 'l2_normalised' makes them all the same"),
        ("l2_normalised+tau_normalised", "'tau_normalised' acts by the lengths"),
        ("l2_normalised+weight_balancing", "'weight_balancing' acts by the lengths"),
        ("imbalanced_sam+seql", "class by class, and the objective of 'seql' is of all classes"),
    ],
)
def test_what_cannot_go_together_is_refused_with_the_reason(spec, words):
    with pytest.raises(UserError, match=words):
        make_remedy(spec)


@pytest.mark.parametrize(
    "spec", ["ldam+drw", "focal+effective_number", "label_aware_smoothing+inverse_frequency"]
)
def test_what_the_papers_combine_goes_together_and_each_part_acts(spec):
    seen = rehearse(make_remedy(spec))
    assert seen.isfinite().all()
    for part in spec.split("+"):
        alone = rehearse(make_remedy(part))
        assert alone.shape != seen.shape or not torch.equal(alone, seen)


@pytest.mark.parametrize("owner", ["crt", "lws", "weight_balancing"])
def test_a_joined_part_lasts_into_a_stage_that_another_sets_up(owner):
    """Its loss, its projection and its groups; the stage's own hooks stay the stage's."""
    lasting = {"loss", "after_step", "parameter_groups"}
    parts = "label_aware_smoothing+max_norm+weight_decay_by_layer+mixup"
    if owner == "lws":
        parts, lasting = parts.replace("max_norm+", ""), lasting - {"after_step"}
    first, second = make_remedy(f"{parts}+{owner}").stages(10)
    alone = make_remedy(owner).stages(10)[1].remedy
    assert first.remedy is None
    assert second.remedy.overrides() == alone.overrides() | lasting
    wanted = make_remedy("label_aware_smoothing").loss(FACTS, 9)
    logits, labels = torch.randn(8, FACTS.num_classes), torch.arange(8) % FACTS.num_classes
    assert torch.equal(second.remedy.loss(FACTS, 9)(logits, labels), wanted(logits, labels))


@dataclass(frozen=True)
class Costs(Remedy):
    """A user's, which weighs classes by something else than their sizes."""

    def class_weights(self, facts, epoch):
        return torch.arange(1.0, facts.num_classes + 1)


def test_class_weights_last_into_a_stage_as_a_loss_does():
    _, second = compose([Costs(), make_remedy("crt")]).stages(10)
    assert second.remedy.overrides() == {"draw", "class_weights"}
    assert second.remedy.class_weights(FACTS, 9)[2] == 3


def test_class_weights_that_a_later_stage_has_itself_are_refused():
    """They would be lost there; the package's own are refused for the prior that both correct."""
    balancing = make_remedy("weight_balancing")
    for parts in ([Costs(), balancing], [balancing, Costs()]):
        with pytest.raises(
            UserError, match=r"'weight_balancing', in its later stages, and .* both"
        ):
            compose(parts)


def test_costs_without_rarity_go_with_what_corrects_the_prior():
    options = {"cost_sensitive": {"gamma": 0, "costs": [1, 5, 1, 1]}}
    assert make_remedy("cost_sensitive+posthoc_logit_adjustment", options).corrects_prior
    second = make_remedy("cost_sensitive+crt", options).stages(10)[1].remedy
    assert second.class_weights(FACTS, 9)[1] > 1
    with pytest.raises(UserError, match="both correct for the class prior"):
        make_remedy("cost_sensitive+crt")


@pytest.mark.parametrize("turn", [1, -1])
def test_lengths_that_are_set_are_not_to_be_shortened(turn):
    spec = "+".join(["l2_normalised", "weight_decay_by_layer"][::turn])
    with pytest.raises(UserError, match=r"'weight_decay_by_layer' shortens .* let it do more by"):
        make_remedy(spec)
    assert make_remedy(spec, {"weight_decay_by_layer": {"ratio": 0.5}}).divides_decay


@pytest.mark.parametrize("other", ["max_norm", "l2_normalised"])
def test_lengths_that_a_factor_changes_are_not_to_be_set(other):
    with pytest.raises(UserError, match=f"{other!r} acts by the lengths .*'lws' multiplies"):
        make_remedy(f"lws+{other}")


def test_a_stage_of_its_own_remedy_alone_is_left_as_it_is():
    assert make_remedy("mixup+crt").stages(10)[1].remedy.overrides() == {"draw"}


def test_images_are_mixed_after_all_else_has_been_done_to_them():
    specs = ("mixup+oversample_augmented", "oversample_augmented+mixup")
    first, second = (rehearse(make_remedy(spec)) for spec in specs)
    assert torch.equal(first, second)


def test_a_temperature_is_fitted_before_the_prior_is_moved():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(60, FACTS.num_classes, generator=generator)
    labels = torch.arange(60) % FACTS.num_classes
    held_out = HeldOut(logits, logits, labels)
    alone = make_remedy("temperature_scaling").adjustment(FACTS, held_out)
    for spec in ("posthoc_logit_adjustment+temperature_scaling",
                 "temperature_scaling+posthoc_logit_adjustment"):  # fmt: skip
        both = make_remedy(spec).adjustment(FACTS, held_out)
        assert torch.equal(both.scale, alone.scale)


def test_a_temperature_for_equal_classes_is_fitted_once_the_prior_is_out():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(60, FACTS.num_classes, generator=generator)
    labels = torch.arange(60) % FACTS.num_classes
    balanced = {"temperature_scaling": {"balanced": True}}
    moved = make_remedy("posthoc_logit_adjustment").adjustment(FACTS, HeldOut(logits))
    alone = make_remedy("temperature_scaling", balanced)
    wanted = alone.adjustment(FACTS, HeldOut(logits, moved(logits), labels))
    for spec in ("posthoc_logit_adjustment+temperature_scaling",
                 "temperature_scaling+posthoc_logit_adjustment"):  # fmt: skip
        both = make_remedy(spec, balanced).adjustment(FACTS, HeldOut(logits, logits, labels))
        assert torch.equal(both.scale, wanted.scale)
        torch.testing.assert_close(both(logits), wanted(moved(logits)))


@pytest.mark.parametrize(
    ("other", "options"),
    [
        ("posthoc_em", {}),
        ("posthoc_bbse", {}),
        ("posthoc_logit_adjustment", {"posthoc_logit_adjustment": {"target": (1, 2, 3, 4)}}),
    ],
)
def test_a_temperature_for_equal_classes_goes_with_no_other_frequencies(other, options):
    spec = f"{other}+temperature_scaling"
    make_remedy(spec, options)
    with pytest.raises(UserError, match="equally frequent"):
        make_remedy(spec, {**options, "temperature_scaling": {"balanced": True}})


def refusal(spec):
    """What is said against a combination, or None."""
    try:
        make_remedy(spec)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("first", "second"), list(combinations(names(), 2)))
def test_every_pair_runs_or_is_refused_whatever_the_order(first, second):
    one, other = f"{first}+{second}", f"{second}+{first}"
    said = refusal(one)
    if said is None:
        assert refusal(other) is None
        assert rehearse(make_remedy(one)).isfinite().all()
        assert rehearse(make_remedy(other)).isfinite().all()
    else:
        assert first in said
        assert second in said
        assert refusal(other) is not None


def test_every_refusal_is_about_a_hook_that_exists():
    for hook in WHY_ONE:
        assert callable(getattr(Remedy, hook))

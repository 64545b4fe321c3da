"""A run's folder: what it takes over, what it refuses, and what a full disk leaves of it."""

import resource

import pytest
import torch
from safetensors.torch import load_file

from unskew.errors import UserError
from unskew.training.checkpoint import load_state, save_state
from unskew.training.outcome import DIVERGED, FINISHED, load_outcome
from unskew.training.recipe import Recipe
from unskew.training.replicas.execute import Job, execute_together
from unskew.training.run import execute
from unskew.training.trainer import Trainer

RECIPE = Recipe(epochs=2, batch_size=60, precision="float32")


def stopped(recipe, splits, folder, epochs=1):
    """A folder that a run was killed in, after so many epochs."""
    trainer = Trainer(recipe, splits)
    for _ in range(epochs):
        list(trainer.epoch())
    folder.mkdir()
    save_state(trainer.save(), folder / "checkpoint.safetensors")


@pytest.fixture
def small_disk(splits):
    """No file of this process may grow beyond 20 kB: what a full disk does."""
    Trainer(RECIPE, splits).fit()  # builds what kernels it needs while there is room
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def alone(recipe, splits, folder):
    return [execute(recipe, splits, folder)]


def as_a_group(recipe, splits, folder):
    return execute_together([Job(recipe, folder)], splits)


either = pytest.mark.parametrize("run", [alone, as_a_group])


@either
def test_a_full_disk_is_told_in_a_sentence_and_leaves_no_scrap(splits, tmp_path, small_disk, run):
    small_disk()
    with pytest.raises(UserError, match="cannot write the run"):
        run(RECIPE, splits, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"recipe.toml"}


@either
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate"),
    ],
    ids=["GPU", "Python", "PyTorch"],
)
def test_a_full_memory_is_told_in_a_sentence(splits, tmp_path, run, monkeypatch, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("unskew.training.trainer.Trainer.begin_epoch", fail)
    with pytest.raises(UserError, match=r"cpu has no room for .*smaller batch_size"):
        run(RECIPE, splits, tmp_path / "run")


def test_other_errors_are_not_taken_for_a_full_memory(splits, tmp_path, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("expected scalar type Long")

    monkeypatch.setattr("unskew.training.trainer.Trainer.begin_epoch", fail)
    with pytest.raises(RuntimeError, match="scalar type"):
        execute(RECIPE, splits, tmp_path / "run")


def test_a_disk_that_is_full_at_the_end_leaves_the_checkpoint(splits, tmp_path, small_disk):
    execute(RECIPE, splits, tmp_path / "whole")
    stopped(RECIPE, splits, tmp_path / "run", epochs=2)
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    small_disk()
    with pytest.raises(UserError, match="cannot write the run's folder"):
        execute(RECIPE, splits, tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before
    assert load_outcome(tmp_path / "run") is None


def test_a_checkpoint_of_another_network_is_named(splits, tmp_path):
    stopped(RECIPE, splits, tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.safetensors"
    tensors, rest = load_state(path)
    del rest["run"]  # which older versions did not write
    save_state((tensors, rest), path)
    with pytest.raises(UserError, match=r"checkpoint\.safetensors is damaged: delete it"):
        execute(RECIPE.with_(model="lstm"), splits, tmp_path / "run")
    rest["position"]["unheard"] = 1
    save_state((tensors, rest), path)
    with pytest.raises(UserError, match=r"checkpoint\.safetensors is damaged"):
        execute(RECIPE, splits, tmp_path / "run")


@either
def test_a_checkpoint_of_another_seed_is_not_gone_on_from(splits, tmp_path, run):
    folder = tmp_path / "run"
    stopped(RECIPE, splits, folder)
    (folder / "recipe.toml").write_text(RECIPE.to_toml())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match=rf"holds the run '{RECIPE.run_id}': name another folder"):
        run(RECIPE.with_(seed=1), splits, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (outcome,) = run(RECIPE, splits, folder)
    assert outcome.outcome == FINISHED


def test_a_checkpoint_that_does_not_say_whose_it_is_is_gone_on_from(splits, tmp_path):
    stopped(RECIPE, splits, tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.safetensors"
    tensors, rest = load_state(path)
    older = {key: value for key, value in rest.items() if key not in ("run", "ended")}
    save_state((tensors, older), path)
    execute(RECIPE, splits, tmp_path / "run")
    execute(RECIPE, splits, tmp_path / "whole")
    for name in ("model.safetensors", "losses.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@either
def test_a_run_is_not_trained_on_other_images_than_it_says(splits, tmp_path, run):
    with pytest.raises(UserError, match="is of other images than those of"):
        run(RECIPE.with_(fingerprint="0" * 16), splits, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@either
def test_a_folder_of_another_run_is_refused(splits, tmp_path, run):
    execute(RECIPE, splits, tmp_path / "run")
    with pytest.raises(UserError, match=r"holds the run .*name another folder"):
        run(RECIPE.with_(seed=1), splits, tmp_path / "run")


def test_a_twin_without_weights_is_not_taken_for_an_untrained_network(splits, tmp_path):
    execute(RECIPE, splits, tmp_path / "plain")
    (tmp_path / "plain" / "model.safetensors").unlink()
    recipe = RECIPE.with_(remedy="posthoc_logit_adjustment")
    with pytest.raises(UserError, match=r"plain/model\.safetensors is missing"):
        execute(recipe, splits, tmp_path / "adjusted", twin=tmp_path / "plain")
    assert load_outcome(tmp_path / "adjusted") is None


@either
def test_what_the_last_step_destroys_has_diverged(splits, tmp_path, run):
    """Its loss was finite: the loss of a step is taken before the step."""
    (outcome,) = run(RECIPE.with_(learning_rate=1e30, max_steps=1), splits, tmp_path / "run")
    assert outcome.outcome == DIVERGED
    assert "logits are not finite: lower the learning rate" in outcome.message
    assert load_outcome(tmp_path / "run") == outcome
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_what_destroys_one_run_leaves_those_beside_it_alone(splits, tmp_path):
    rates = {"wild": 1e30, "tame": 0.01}
    jobs = [
        Job(RECIPE.with_(learning_rate=rate, max_steps=1), tmp_path / name)
        for name, rate in rates.items()
    ]
    assert [o.outcome for o in execute_together(jobs, splits)] == [DIVERGED, FINISHED]


def test_steps_that_end_with_a_stage_leave_a_state_that_can_be_gone_on_from(splits, tmp_path):
    """`max_steps` ends the run within the last epoch before the classifier's own stage."""
    recipe = Recipe(epochs=10, batch_size=60, remedy="crt", max_steps=35)  # 9 epochs of 4 steps
    trainer = Trainer(recipe, splits)
    trainer.fit()
    save_state(trainer.save(), tmp_path / "state")
    again = Trainer(recipe, splits)
    again.restore(load_state(tmp_path / "state"))
    assert again.finished
    assert again.state.history == trainer.state.history


@pytest.mark.parametrize(
    ("steps", "said"), [(35, "max_steps = 35 ended it before 'classifier' of crt began"), (38, "")]
)
def test_a_remedy_that_did_not_come_to_its_second_stage_is_told(splits, tmp_path, steps, said):
    recipe = Recipe(epochs=10, batch_size=60, remedy="crt", max_steps=steps)
    outcome = execute(recipe, splits, tmp_path / "run")
    assert outcome.message.startswith(said)
    assert bool(outcome.message) == bool(said)
    assert outcome.unbegun == (("classifier",) if said else ())
    assert load_outcome(tmp_path / "run") == outcome


@pytest.mark.parametrize(
    ("remedy", "late"),
    [("drw", ("drw",)), ("ldam+drw", ("drw",)), ("deferred_resampling", ("deferred_resampling",)),
     ("influence_balanced", ("influence_balanced",)), ("crt+focal", ("classifier",)),
     ("balanced_softmax", ())],
)  # fmt: skip
def test_a_part_that_had_not_set_in_is_told(splits, tmp_path, remedy, late):
    recipe = Recipe(epochs=5, batch_size=60, remedy=remedy, max_steps=7)  # the second of 4 steps
    outcome = execute(recipe, splits, tmp_path / "run")
    assert outcome.unbegun == late
    assert ("max_steps = 7 ended it before" in outcome.message) == bool(late)


def test_what_has_set_in_in_the_last_step_has(splits, tmp_path):
    recipe = Recipe(epochs=5, batch_size=60, remedy="drw", max_steps=17)
    assert execute(recipe, splits, tmp_path / "run").unbegun == ()


@pytest.mark.parametrize(
    ("remedy", "told"),
    [("seql", "remedy 'seql' has spared no class: none has a share of the images below threshold "
      "= 0.3 times an even one, the rarest has 1"),
     ("imbalanced_sam", "remedy 'imbalanced_sam' has taken plain steps: no class is smaller")],
)  # fmt: skip
def test_a_remedy_that_finds_nothing_to_do_says_so(splits, tmp_path, remedy, told):
    recipe = Recipe(epochs=1, batch_size=60, remedy=remedy)
    assert execute(recipe, splits, tmp_path / "even").message.startswith(told)
    skewed = recipe.with_(skew={"profile": "step", "classes": [0], "keep": 0.1}, batch_size=40)
    assert execute(skewed, splits, tmp_path / "skewed").message == ""


@either
def test_steps_of_the_optimiser_are_counted(splits, tmp_path, run):
    (outcome,) = run(RECIPE, splits, tmp_path / "run")
    _header, *losses = (tmp_path / "run" / "losses.csv").read_text("utf-8").splitlines()
    assert outcome.steps == len(losses) == RECIPE.epochs * len(splits.train) // RECIPE.batch_size
    assert load_outcome(tmp_path / "run") == outcome


def test_weights_are_written_as_they_are(splits, tmp_path):
    execute(RECIPE, splits, tmp_path / "run")
    weights = load_file(tmp_path / "run" / "model.safetensors")
    trainer = Trainer(RECIPE, splits)
    trainer.fit()
    assert weights.keys() == trainer.state.network.state_dict().keys()
    for name, value in trainer.state.network.state_dict().items():
        assert value.equal(weights[name])

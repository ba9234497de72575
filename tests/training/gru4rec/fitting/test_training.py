"""Training: the known mistakes of GRU4Rec's reimplementations, checkpoints, resuming, and what is learned."""

import json
import math

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

import mlflow
import torch
import torch.nn.functional as F

from infra.settings import Settings
from tests.training.gru4rec.session_arrays import sessions_of
from training.gru4rec.config import DataConfig, Gru4RecConfig, ModelConfig, TrainConfig
from training.gru4rec.errors import BadCheckpoint, SequenceError, SplitError
from training.gru4rec.evaluation.next_item_metrics import evaluate
from training.gru4rec.fitting import lightning_module, training
from training.gru4rec.fitting.lightning_module import MONITORED, Gru4RecModule
from training.gru4rec.fitting.training import fit
from training.gru4rec.network.adagrad import EPSILON
from training.gru4rec.network.checkpoint import BEST, LAST, load_network
from training.gru4rec.network.gru4rec import Gru4Rec
from training.gru4rec.network.gru_scorer import GruScorer
from training.gru4rec.network.minibatches import session_parallel
from training.gru4rec.network.negatives import NegativeSampler
from training.gru4rec.sessions import preprocess

ITEMS = 12
MODEL = ModelConfig(hidden_size=8)
CONFIG = TrainConfig(batch_size=4, n_samples=6, epochs=2, patience=0, learning_rate=0.1)


def walks(count, seed=1):
    """Sessions of 2 to 6 items that mostly go from item i to i + 1."""
    random = np.random.default_rng(seed)
    steps = [np.where(random.random(length) < 0.9, 1, 5) for length in random.integers(2, 7, count)]
    return sessions_of(*((random.integers(ITEMS) + np.cumsum(step)) % ITEMS for step in steps))


def counts_of(sessions):
    return np.bincount(sessions.items, minlength=ITEMS).astype(np.int64)


SESSIONS = walks(60)
COUNTS = counts_of(SESSIONS)


def trained(folder, config=CONFIG, model=MODEL, **options):
    return fit(SESSIONS, COUNTS, model, config, folder, progress=False, **options)


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def module_of(config=CONFIG, model=MODEL):
    torch.manual_seed(5)
    network = Gru4Rec(ITEMS, model.hidden_size, model.dropout_embedding, model.dropout_hidden)
    return Gru4RecModule(network, COUNTS, config)


# ------------------------------------------------------------------------------------- the known mistakes


def test_a_rows_state_depends_on_its_whole_session_and_on_no_other(monkeypatch):
    """After each step the state of a row equals the network's state after the row's session so far."""
    module, minibatches = module_of(), session_parallel(SESSIONS, CONFIG.batch_size)
    states = []

    def noted(*arguments, step=module.network.step_embedded):
        states.append(step(*arguments))
        return states[-1]

    monkeypatch.setattr(module.network, "step_embedded", noted)
    seen: list[list[int]] = [[] for _ in range(CONFIG.batch_size)]
    for step in minibatches:
        module.loss(step)
        state = states[-1]
        for row, (item, begins) in enumerate(zip(step.inputs.tolist(), step.begins.tolist(), strict=True)):
            seen[row] = [item] if begins else [*seen[row], item]
            alone = module.network(torch.tensor([seen[row]]), torch.tensor([len(seen[row])]))
            assert torch.allclose(state[row], alone[0], atol=1e-6)


def test_an_epoch_trains_on_every_event_also_if_the_batch_cannot_be_filled(tmp_path):
    found = trained(tmp_path)
    events = sum(len(SESSIONS[i]) - 1 for i in range(len(SESSIONS)))
    for epoch in found.history:
        assert epoch["events_per_s"] * epoch["seconds"] == pytest.approx(events)


def test_the_loss_uses_raw_scores_and_subtracts_log_q_once():
    """The loss of a step, worked out from the network's scores."""
    module, step = module_of(), session_parallel(SESSIONS, 4)[0]
    negatives = NegativeSampler(COUNTS, CONFIG.n_samples, CONFIG.sample_alpha, (CONFIG.seed, 0)).draw()
    columns = [*step.targets.tolist(), *negatives.tolist()]
    scores = module.network.scores(module.network.step(torch.from_numpy(step.inputs), module.network.start(4)))
    expected = 0.0
    for row in range(4):
        logits = [
            scores[row, item].item() - math.log(COUNTS[item]) * (1.0 if k < 4 else CONFIG.sample_alpha)
            for k, item in enumerate(columns)
        ]
        expected -= logits[row] - math.log(sum(math.exp(logit) for logit in logits))
    assert module.loss(step).item() == pytest.approx(expected / 4, rel=1e-5)


def test_dropout_and_bpr_penalty_are_applied_as_set():
    dropping = module_of(model=ModelConfig(hidden_size=8, dropout_embedding=0.3, dropout_hidden=0.4))
    assert (dropping.network.drop_embedding.p, dropping.network.drop_hidden.p) == (0.3, 0.4)
    step = session_parallel(SESSIONS, 4)[0]
    losses = [
        module_of(TrainConfig(batch_size=4, n_samples=6, loss="bpr_max", bpr_penalty=penalty)).loss(step).item()
        for penalty in (0.0, 1.0)
    ]
    assert losses[1] > losses[0]


def test_an_epoch_equals_a_plain_loop_over_the_same_sessions(tmp_path):
    """The loop is independent: torch's GRU cell, dense gradients, a plain Adagrad, and rows in Python lists."""
    torch.manual_seed(CONFIG.seed)
    first = Gru4Rec(ITEMS, MODEL.hidden_size)
    table, bias = (value.detach().clone().requires_grad_() for value in (first.embedding.weight, first.bias.weight))
    cell = torch.nn.GRUCell(8, 8)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in first.gru.state_dict().items()})
    parameters = [table, bias, *cell.parameters()]
    squares = [torch.zeros_like(parameter) for parameter in parameters]
    sampler = NegativeSampler(COUNTS, CONFIG.n_samples, CONFIG.sample_alpha, (CONFIG.seed, 0))
    support = torch.from_numpy(COUNTS).float()
    queue = [SESSIONS[i].tolist() for i in range(len(SESSIONS))]
    rows = [(queue.pop(0), 0, torch.zeros(8)) for _ in range(4)]
    while rows:
        samples = torch.from_numpy(sampler.draw())
        targets = torch.tensor([session[position + 1] for session, position, _ in rows])
        states = [cell(table[session[position]], state) for session, position, state in rows]
        columns = torch.cat((targets, samples))
        scores = torch.stack(states) @ table[columns].T + bias[columns].T
        scores = scores - torch.cat((support[targets].log(), 0.5 * support[samples].log()))
        loss = F.cross_entropy(scores, torch.arange(len(rows)), reduction="sum") / 4
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, square, gradient in zip(parameters, squares, gradients, strict=True):
            square += gradient**2
            parameter.data -= 0.1 * gradient / (square + EPSILON).sqrt()
        moved = [
            (session, position + 1, state.detach()) for (session, position, _), state in zip(rows, states, strict=True)
        ]
        rows = []
        for session, position, state in moved:
            if position + 1 < len(session):
                rows.append((session, position, state))
            elif queue:
                rows.append((queue.pop(0), 0, torch.zeros(8)))
    found = trained(tmp_path, TrainConfig(**{**vars(CONFIG), "epochs": 1})).network
    assert torch.allclose(found.embedding.weight, table, atol=1e-4)
    assert torch.allclose(found.bias.weight, bias, atol=1e-4)
    assert torch.allclose(found.gru.weight_hh_l0, cell.weight_hh, atol=1e-4)


@pytest.mark.parametrize("loss", ["cross_entropy", "bpr_max"])
def test_it_learns_the_transitions_of_the_walks(tmp_path, loss):
    config = TrainConfig(batch_size=4, n_samples=6, epochs=8, patience=0, loss=loss, logq=0.0, momentum=0.2)
    found = trained(tmp_path, config)
    evaluation = evaluate(GruScorer(found.network.eval()), walks(100, seed=2))
    assert evaluation.recall(1) > 0.8  # nine steps in ten go to the next item
    assert found.history[-1]["loss"] < found.history[0]["loss"]


# ------------------------------------------------------------------------------------- runs and checkpoints


def test_equal_seeds_give_equal_networks_and_other_seeds_give_others(tmp_path):
    first, again, other = (
        trained(tmp_path / str(k), TrainConfig(**{**vars(CONFIG), "seed": seed})).network
        for k, seed in enumerate((1, 1, 2))
    )
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


def test_each_epoch_has_other_random_numbers(tmp_path, monkeypatch):
    seeds, samplers = [], {}

    def sampler(counts, n_samples, alpha, seed):
        samplers[seed] = NegativeSampler(counts, n_samples, alpha, seed)
        return samplers[seed]

    monkeypatch.setattr(lightning_module, "NegativeSampler", sampler)
    trained(tmp_path, epoch_done=lambda _: seeds.append(torch.initial_seed()))  # the seed of dropout
    assert len(set(seeds)) == 2
    assert samplers.keys() == {(CONFIG.seed, 0), (CONFIG.seed, 1)}
    assert not np.array_equal(*(NegativeSampler(COUNTS, 6, CONFIG.sample_alpha, seed).draw() for seed in samplers))


def test_an_interrupted_run_resumes_to_the_same_network(tmp_path):
    """With dropout and momentum, so that random numbers and the optimiser's state have an effect."""
    config = {**vars(CONFIG), "epochs": 4, "momentum": 0.3}
    model = ModelConfig(hidden_size=8, dropout_embedding=0.2, dropout_hidden=0.2)
    whole = trained(tmp_path / "whole", TrainConfig(**config), model)

    def interrupt(history):
        if len(history) == 2:
            raise OSError("the machine stops here")

    with pytest.raises(OSError, match="stops here"):
        trained(tmp_path / "cut", TrainConfig(**config), model, epoch_done=interrupt)
    rest = []
    resumed = trained(
        tmp_path / "cut",
        TrainConfig(**{**config, "resume": True}),
        model,
        epoch_done=lambda history: rest.append(len(history)),
    )
    assert rest == [3, 4]
    assert same(weights(whole.network), weights(resumed.network))
    assert [epoch["loss"] for epoch in whole.history] == [epoch["loss"] for epoch in resumed.history]


def test_a_run_is_resumed_only_with_the_same_settings_and_sessions(tmp_path):
    trained(tmp_path)
    for config, message in (
        ({"batch_size": 8, "epochs": 3}, "was trained with batch_size 4, not 8"),
        ({}, "is of epoch 2 of 2: nothing is left"),
    ):
        with pytest.raises(BadCheckpoint, match=message):
            trained(tmp_path, TrainConfig(**{**vars(CONFIG), "resume": True, **config}))
    again = TrainConfig(**{**vars(CONFIG), "resume": True, "epochs": 3})
    with pytest.raises(BadCheckpoint, match="hidden_size 8, not 16"):
        trained(tmp_path, again, ModelConfig(hidden_size=16))
    with pytest.raises(BadCheckpoint, match="trained on other sessions"):
        fit(walks(61), COUNTS, MODEL, again, tmp_path, progress=False)
    with pytest.raises(BadCheckpoint, match="run train first"):
        trained(tmp_path / "nothing", again)


def test_training_stops_when_validation_gets_no_better_and_the_best_epoch_is_stored(tmp_path):
    validation = walks(40, seed=3)
    config = TrainConfig(**{**vars(CONFIG), "epochs": 60, "patience": 2, "learning_rate": 1.0})
    found = trained(tmp_path, config, validation=validation)
    scores = [epoch[MONITORED] for epoch in found.history]
    assert len(scores) < 60
    assert found.best_epoch == 1 + int(np.argmax(scores)) == len(scores) - 2
    best = evaluate(GruScorer(load_network(tmp_path / BEST)), validation)
    assert best.mrr(20) == max(scores)
    assert evaluate(GruScorer(load_network(tmp_path / LAST)), validation).mrr(20) == scores[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [BEST, LAST]


def test_without_validation_the_last_epoch_is_the_best(tmp_path):
    found = trained(tmp_path)
    assert found.best_epoch == 2
    assert (tmp_path / BEST).read_bytes() == (tmp_path / LAST).read_bytes()
    assert same(weights(load_network(tmp_path / BEST)), weights(found.network))
    assert not load_network(tmp_path / BEST).training


def test_sessions_without_targets_diverging_losses_and_broken_checkpoints_are_refused(tmp_path):
    with pytest.raises(SplitError, match="train has no session of two items"):
        fit(sessions_of([1], [2]), COUNTS, MODEL, CONFIG, tmp_path / "none", progress=False)
    with pytest.raises(SequenceError, match=r"the loss of epoch 1 is nan: lower train\.learning_rate"):
        trained(tmp_path / "far", TrainConfig(**{**vars(CONFIG), "learning_rate": 1e30, "loss": "bpr_max"}))
    assert not (tmp_path / "far" / LAST).exists()
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    for name in ("text.ckpt", "other.ckpt"):
        with pytest.raises(BadCheckpoint, match=rf"{name} is not a checkpoint"):
            load_network(tmp_path / name)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    torch.save({"gru4rec": print}, tmp_path / "code.ckpt")
    with pytest.raises(BadCheckpoint, match="is not a checkpoint"):
        load_network(tmp_path / "code.ckpt")


def test_the_command_reports_each_epoch_and_a_resumed_run_continues_its_mlflow_run(tmp_path, capsys):
    settings = Settings(dataset="walks", data_dir=tmp_path, state_dir=tmp_path / "var", threads=1)
    lines = [f"{i}\t{item}\t{1000 * i + k}" for i in range(len(SESSIONS)) for k, item in enumerate(SESSIONS[i])]
    (tmp_path / "log.txt").write_text("SessionId\tItemId\tTime\n" + "\n".join(lines) + "\n")
    data = DataConfig(source=str(tmp_path / "log.txt"), test_days=0.1, validation_days=0.1, min_item=2)

    def config(**train):
        return Gru4RecConfig(data=data, model=MODEL, train=TrainConfig(**{**vars(CONFIG), **train}))

    preprocess.run(config(), settings)
    training.run(config(epochs=1), settings)
    training.run(config(resume=True), settings)
    report = json.loads((config().folders(settings).reports / "training.json").read_text())
    assert [epoch["epoch"] for epoch in report["epochs"]] == [1, 2]
    assert report["best_epoch"] in (1, 2)
    client = mlflow.MlflowClient(settings.tracking_uri)
    [run] = client.search_runs([client.get_experiment_by_name("gru4rec-walks").experiment_id])
    assert (run.info.run_id, run.info.status) == (report["mlflow_run_id"], "FINISHED")
    logged = client.get_metric_history(run.info.run_id, MONITORED)
    assert [(found.step, found.value) for found in logged] == [(e["epoch"], e[MONITORED]) for e in report["epochs"]]
    assert run.data.params["batch_size"] == "4"
    assert "epoch 2/2" in capsys.readouterr().out

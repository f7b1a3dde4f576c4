"""The training step against Adam by hand; the loop with real photos: stop and resume, seeds, limits, failures."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from impasto.config import LossConfig, NetworkConfig, TrainConfig
from impasto.core.device import choose_device
from impasto.core.loss_network import LossNetwork
from impasto.core.losses import Look, PerceptualLoss
from impasto.core.motion import random_motion
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files import gallery
from impasto.training import soap, trainer
from impasto.training.fabric import choose_precision, lay_out, make_fabric
from impasto.training.photos import Photos
from impasto.training.pixels import to_float
from impasto.training.ranks import Ranks
from impasto.training.state import NotFiniteError, TrainState
from impasto.training.trainer import TrainProgress

SIDE = 32


@pytest.fixture
def ranks() -> Ranks:
    return Ranks(make_fabric("cpu", "float32"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine different photos."""
    make_photos(tmp_path / "Föto Ordner", 9)
    return tmp_path / "Föto Ordner"


def make_photos(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"photo {number:03}.png" for number in range(count)]
    for number, path in enumerate(paths):
        pixels = np.random.default_rng(number).integers(0, 256, (6, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40, 36)).save(path)
    return paths


def config(loss: dict[str, Any] | None = None, **options: Any) -> TrainConfig:
    layers = {"content_layers": ("b",), "style_layers": ("a", "b"), "content_weight": 1.0, "style_weight": 10.0}
    usual = {"image_size": SIDE, "batch_size": 2, "workers": 0, "network": NetworkConfig(width=2, blocks=1)}
    return TrainConfig(**{**usual, "loss": LossConfig(**layers, **(loss or {})), **options})


def make_loss(config: TrainConfig) -> PerceptualLoss:
    torch.manual_seed(77)
    layers = {
        "a": nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True)),
        "b": nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(inplace=True)),
    }
    network = LossNetwork(layers, "torchvision")
    return PerceptualLoss(network, [torch.rand(1, 3, SIDE, SIDE)], config.loss)


def make_state(config: TrainConfig) -> TrainState:
    torch.manual_seed(config.seed)
    return TrainState(TransformerNet(config.network), config)


def run(
    ranks: Ranks, folder: Path, config: TrainConfig, state: TrainState | None = None, stop: int | None = None
) -> tuple[TrainState, list[TrainProgress]]:
    """A training up to its end, or up to iteration `stop`."""
    state = state or make_state(config)
    seen = []
    for progress in trainer.train(ranks, state, make_loss(config), Photos.find([folder], config), config):
        seen.append(progress)
        if progress.iteration == stop:
            break
    return state, seen


def losses(seen: list[TrainProgress]) -> list[tuple[float, ...]]:
    return [(p.total_loss, p.content_loss, p.style_loss, p.tv_loss, p.learning_rate) for p in seen]


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def result(state: TrainState) -> dict[str, Tensor]:
    """Everything that a training makes: the style file's weights and the network's own."""
    return {**state.result(), **{f"raw.{name}": p.detach().clone() for name, p in state.network.named_parameters()}}


# --- One step ---


def numpy_adam(
    weights: list[NDArray[np.float64]],
    moments: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    gradients: list[NDArray[np.float64]],
    step: int,
    rate: float,
    betas: tuple[float, float],
) -> None:
    """Kingma, Ba 2015, algorithm 1, in place; `step` counts from 1."""
    for weight, (first, second), gradient in zip(weights, moments, gradients, strict=True):
        first[...] = betas[0] * first + (1 - betas[0]) * gradient
        second[...] = betas[1] * second + (1 - betas[1]) * gradient**2
        unbiased = first / (1 - betas[0] ** step), second / (1 - betas[1] ** step)
        weight -= rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)


def gradient_of(network: TransformerNet, loss: PerceptualLoss, photos: Tensor) -> list[Tensor]:
    copy = TransformerNet(network.config)
    copy.load_state_dict(network.state_dict())
    loss(copy(photos), photos).total.backward()
    return [p.grad for p in copy.parameters() if p.grad is not None]


@pytest.mark.parametrize("clip", [0.0, 0.01])
def test_steps_are_adams(ranks: Ranks, clip: float) -> None:
    settings = config(learning_rate=2e-3, beta1=0.8, beta2=0.95, clip_gradients=clip)
    state, loss = make_state(settings), make_loss(settings)
    network, optimizer = ranks.fabric.setup(state.network, state.optimizer)
    weights = [p.double().numpy().copy() for p in state.parameters()]
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for step in range(1, 5):
        photos = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(step))
        gradients = [g.double().numpy() for g in gradient_of(state.network, loss, photos)]
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
        assert norm > 0.02  # so that clipping has something to do
        if clip:
            gradients = [g * clip / (norm + 1e-6) for g in gradients]
        # NumPy goes on from torch's weights, so that what is compared is one step each time.
        weights = [p.double().numpy().copy() for p in state.parameters()]
        before = [w.copy() for w in weights]
        expected_losses = loss(state.network(photos), photos)
        numpy_adam(weights, moments, gradients, step, 2e-3, (0.8, 0.95))
        found, stylized = trainer.train_step(ranks, network, optimizer, loss, photos, Look(), state)
        assert found.total.item() == pytest.approx(expected_losses.total.item(), rel=1e-5)
        assert stylized.shape == photos.shape
        assert not stylized.requires_grad
        for ours, expected, old in zip(state.parameters(), weights, before, strict=True):
            assert np.abs(expected - old).max() <= 2e-3 * 3
            np.testing.assert_allclose(ours.double().numpy(), expected, rtol=1e-6, atol=2e-3 * 2e-3)


def test_several_styles_are_learned_in_one_network(ranks: Ranks, folder: Path) -> None:
    """Each photo of a batch is painted in a style drawn for it, and compared with that style."""
    settings = config(epochs=2, network=NetworkConfig(width=2, blocks=1, styles=3))
    state, usual = make_state(settings), make_loss(settings)
    paintings = [torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(number)) for number in range(3)]
    loss = PerceptualLoss(usual.network, paintings, settings.loss)
    asked: list[list[int]] = []
    loss.register_forward_pre_hook(lambda _, args, options: asked.append(options["style"].tolist()), with_kwargs=True)
    before = state.network.down[0].norm.scale.detach().clone()
    seen = list(trainer.train(ranks, state, loss, Photos.find([folder], settings), settings))
    assert {style for styles in asked for style in styles} == {0, 1, 2}
    assert all(len(styles) == settings.batch_size for styles in asked)
    assert len(asked) == len(seen)
    moved = (state.network.down[0].norm.scale.detach() - before).abs().amax(1)
    assert float(moved.min()) > 0
    again = make_state(settings)
    list(trainer.train(ranks, again, loss, Photos.find([folder], settings), settings))
    assert same(result(state), result(again))


def test_a_style_is_drawn_as_often_as_its_share() -> None:
    settings = config(batch_size=2000, network=NetworkConfig(width=2, blocks=1, styles=4))
    drawn = trainer.random_styles(settings, (3.0, 1.0, 0.0, 1.0), torch.Generator().manual_seed(5))
    counts = torch.bincount(drawn, minlength=4)
    assert int(counts[2]) == 0
    # Four standard deviations of a binomial distribution.
    for count, share in zip(counts.tolist(), (0.6, 0.2, 0.0, 0.2), strict=True):
        assert abs(count - 2000 * share) <= 4 * math.sqrt(2000 * share * (1 - share))


@pytest.mark.parametrize("weight", [0.0, 50.0])
def test_the_identity_row_is_held_to_giving_the_photo_back(ranks: Ranks, weight: float) -> None:
    settings = config(identity_weight=weight, network=NetworkConfig(width=2, blocks=1, styles=2, skip=True))
    assert settings.painted_styles == (1 if weight else 2)
    state, loss = make_state(settings), make_loss(settings)
    network, optimizer = ranks.fabric.setup(state.network, state.optimizer)
    photos = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        usual = float(loss(state.network(photos), photos).total)
        back = float((state.network(photos[:1], 1) - photos[:1]).square().mean())
    losses, _ = trainer.train_step(ranks, network, optimizer, loss, photos, Look(), state)
    assert float(losses.total) == pytest.approx(usual + weight * back, rel=1e-5)
    moved = state.network.skip.gain.detach()[1].abs()
    assert (float(moved.min()) > 0) == (weight > 0)


class Painter(nn.Module):
    """Paints pixel by pixel, the same wherever it is and whatever moves."""

    def forward(self, photos: Tensor, style: Any) -> Tensor:
        return 1 - photos


def test_who_paints_pixel_by_pixel_shows_the_noise_alone() -> None:
    photos = 0.25 + 0.5 * torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    photos = F.interpolate(photos, (64, 64), mode="bicubic")
    for seed in range(12):
        loss = trainer.temporal_loss(Painter(), photos, 1 - photos, 0, torch.Generator().manual_seed(seed))
        random = torch.Generator().manual_seed(seed)
        random_motion(64, 64, random)
        deviation = trainer.SENSOR_NOISE * float(torch.rand((), generator=random))
        assert float(loss) == pytest.approx(deviation**2, rel=0.1, abs=1e-7)


def test_what_sticks_to_the_frame_costs() -> None:
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1.0

    class Sticking(nn.Module):
        def forward(self, photos: Tensor, style: Any) -> Tensor:
            return stripes

    losses = [
        float(trainer.temporal_loss(Sticking(), stripes, stripes, 0, torch.Generator().manual_seed(seed)))
        for seed in range(12)
    ]
    assert min(losses) == 0  # nothing moved
    assert max(losses) == pytest.approx(1, abs=1e-3)  # an odd number of pixels


def test_the_temporal_term_makes_a_network_steadier(ranks: Ranks, folder: Path) -> None:
    ends = []
    for weight in (0.0, 300.0):
        settings = config(temporal_weight=weight, max_iterations=40, epochs=40, learning_rate=5e-3)
        state, _ = run(ranks, folder, settings)
        photos = to_float(Photos.find([folder], settings).samples(4))
        with torch.no_grad():
            stylized = state.network(photos)
            errors = [
                trainer.temporal_loss(state.network, photos, stylized, 0, torch.Generator().manual_seed(seed))
                for seed in range(8)
            ]
        ends.append(float(torch.stack(errors).mean()))
    assert ends[1] < 0.7 * ends[0]


def test_a_network_gets_the_identity_row_that_its_training_asks_for() -> None:
    settings = config(identity_weight=1.0, network=NetworkConfig(width=2, blocks=1))
    assert (settings.network.styles, settings.painted_styles) == (2, 1)
    assert config().network.styles == config().painted_styles == 1


def test_learning_rows_leaves_all_else_as_it_is(ranks: Ranks, folder: Path) -> None:
    network = NetworkConfig(width=2, blocks=1, skip=True)
    settings = config(epochs=1, start="gallery", learn="rows", identity_weight=9.0, network=network, ema=0.5)
    state, loss = make_state(settings), make_loss(settings)
    before = {name: value.clone() for name, value in result(state).items()}
    list(trainer.train(ranks, state, loss, Photos.find([folder], settings), settings))
    for name, value in result(state).items():
        if gallery.is_row(name):
            assert not torch.equal(value[0], before[name][0]), name
            assert torch.equal(value[1], before[name][1]), name  # the identity, which the base has learned
        else:
            assert torch.equal(value, before[name]), name


def test_the_first_step_moves_by_the_learning_rate(ranks: Ranks) -> None:
    # With the bias corrected, m/√v is the gradient's sign: without the correction it would be 3.2 times as much.
    settings = config()
    state, loss = make_state(settings), make_loss(settings)
    network, optimizer = ranks.fabric.setup(state.network, state.optimizer)
    head = state.network.head.weight
    before = head.detach().clone()
    trainer.train_step(ranks, network, optimizer, loss, torch.rand(2, 3, SIDE, SIDE), Look(), state)
    torch.testing.assert_close((head - before).abs(), torch.full_like(head, 1e-3), rtol=1e-2, atol=0)


# --- The loop ---


def test_a_training_is_the_epochs_times_the_full_batches(ranks: Ranks, folder: Path) -> None:
    state, seen = run(ranks, folder, config(epochs=3))
    assert [p.iteration for p in seen] == list(range(1, 13))  # nine photos, four pairs, three epochs
    assert [p.epoch for p in seen] == [1] * 4 + [2] * 4 + [3] * 4
    assert {(p.iterations, p.epochs, p.learning_rate) for p in seen} == {(12, 3, 1e-3)}
    assert [p.done for p in seen] == pytest.approx([i / 12 for i in range(1, 13)])
    assert [p.elapsed for p in seen] == sorted(p.elapsed for p in seen)
    assert seen[-1].remaining == 0
    assert (state.iteration, state.epoch, state.position) == (12, 3, 0)
    for p in seen:
        assert p.photo.shape == p.stylized.shape == (3, SIDE, SIDE)
        assert 0 <= float(p.photo.min()) <= float(p.photo.max()) <= 1
        assert p.total_loss == pytest.approx(p.content_loss + 10 * p.style_loss, rel=1e-5)


def test_each_epoch_has_an_order_of_its_own(ranks: Ranks, folder: Path) -> None:
    _, seen = run(ranks, folder, config(batch_size=1, epochs=3))
    shown = [tuple(p.photo.flatten().tolist()) for p in seen]
    epochs = [shown[start : start + 9] for start in (0, 9, 18)]
    assert all(set(epoch) == set(epochs[0]) and len(set(epoch)) == 9 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_training_makes_the_loss_smaller(ranks: Ranks, folder: Path) -> None:
    _, seen = run(ranks, folder, config(epochs=10, learning_rate=1e-2))
    early, late = (np.mean([p.total_loss for p in part]) for part in (seen[:4], seen[-4:]))
    assert late < 0.8 * early


def test_the_same_seed_gives_the_same_bits(ranks: Ranks, folder: Path) -> None:
    first, again, other = (run(ranks, folder, config(seed=seed)) for seed in (3, 3, 4))
    assert same(result(first[0]), result(again[0]))
    assert losses(first[1]) == losses(again[1])
    assert not same(result(first[0]), result(other[0]))


def test_a_worker_process_changes_no_bit(ranks: Ranks, folder: Path) -> None:
    alone, helped = (run(ranks, folder, config(workers=workers)) for workers in (0, 1))
    assert same(result(alone[0]), result(helped[0]))
    assert losses(alone[1]) == losses(helped[1])


MOVING = {
    "optimizer": "soap",
    "ema": 0.9,
    "schedule": "cosine",
    "warm_up": 3,
    "loss": {"look_scale": (0.8, 1.4), "look_shift": 3},
}


@pytest.mark.parametrize("options", [{}, MOVING], ids=["classic", "everything on"])
@pytest.mark.parametrize("stops", [(1,), (3,), (4,), (6,), (8,), (2, 5)])
def test_a_resumed_training_gives_the_same_bits(
    ranks: Ranks, folder: Path, options: dict[str, Any], stops: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soap, "FIRST_TURN", 2)
    monkeypatch.setattr(soap, "TURN_EVERY", 2)
    settings = config(**options)
    whole, expected = run(ranks, folder, settings)
    assert len(expected) == 8
    state, seen = make_state(settings), []
    for stop in (*stops, None):
        seen += run(ranks, folder, settings, state, stop)[1]
        saved = io.BytesIO()
        torch.save(state.state_dict(), saved)
        saved.seek(0)
        torch.manual_seed(1234)  # what a new process might have drawn
        state = TrainState(TransformerNet(settings.network), settings)
        state.load_state_dict(torch.load(saved, weights_only=True))
    assert losses(seen) == losses(expected)
    assert same(result(state), result(whole))
    assert (state.iteration, state.epoch, state.position) == (8, 2, 0)
    assert state.elapsed == seen[-1].elapsed


def test_a_resumed_training_of_broken_photos_gives_the_same_bits(ranks: Ranks, tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 21)
    for number in (2, 13):
        paths[number].write_bytes(b"broken")
    whole, expected = run(ranks, tmp_path, config())
    assert len(expected) == 2 * (21 // 2)
    state, seen = run(ranks, tmp_path, config(), stop=7)
    resumed = TrainState(TransformerNet(config().network), config())
    resumed.load_state_dict(state.state_dict())
    seen += run(ranks, tmp_path, config(), resumed)[1]
    assert losses(seen) == losses(expected)
    assert same(result(resumed), result(whole))


def test_each_step_looks_in_a_way_of_its_own_that_the_seed_decides(ranks: Ranks, folder: Path) -> None:
    def looks(seed: int) -> list[Look]:
        settings = config(seed=seed, loss={"look_scale": (0.8, 1.4), "look_shift": 3})
        loss, seen = make_loss(settings), []
        loss.register_forward_pre_hook(lambda _, args, options: seen.append(options["look"]), with_kwargs=True)
        for _ in trainer.train(ranks, make_state(settings), loss, Photos.find([folder], settings), settings):
            pass
        return seen

    first = looks(1)
    assert len(first) == 8
    assert len(set(first)) > 4
    assert looks(1) == first != looks(2)


@pytest.mark.parametrize(("limit", "steps"), [(1, 1), (3, 3), (5, 5), (8, 8), (100, 8)])
def test_the_number_of_steps_can_be_limited(ranks: Ranks, folder: Path, limit: int, steps: int) -> None:
    _, seen = run(ranks, folder, config(max_iterations=limit))
    assert [p.iteration for p in seen] == list(range(1, steps + 1))
    assert {p.iterations for p in seen} == {steps}
    assert seen[-1].done == 1


def test_a_limit_of_time_ends_the_training(ranks: Ranks, folder: Path) -> None:
    _, seen = run(ranks, folder, config(max_minutes=1e-9))
    assert len(seen) == 1  # no step takes less than 60 nanoseconds
    assert seen[0].done == 1
    assert seen[0].remaining == 0


def test_without_epochs_the_photos_are_read_again_until_the_iterations_are_over(ranks: Ranks, folder: Path) -> None:
    _, seen = run(ranks, folder, config(epochs=0, max_iterations=10))
    assert [p.epoch for p in seen] == [1] * 4 + [2] * 4 + [3] * 2
    assert {(p.epochs, p.iterations) for p in seen} == {(0, 10)}
    _, seen = run(ranks, folder, config(epochs=0, max_minutes=1e-9))
    assert len(seen) == 1


def test_photos_grow_to_their_whole_in_two_steps() -> None:
    settings = TrainConfig(image_size=256, start_size=128)
    sides = [trainer.piece_side(settings, done) for done in (0, 0.59, 0.61, 0.84, 0.86, 1)]
    assert sides == [128, 128, 192, 192, 256, 256]
    assert trainer.piece_side(TrainConfig(), 0) == 256
    assert trainer.piece_side(TrainConfig(image_size=100, start_size=70), 0) == 70
    assert trainer.piece_side(TrainConfig(image_size=100, start_size=70), 1) == 100


def test_a_piece_lies_at_one_place_of_all_photos_and_anywhere_in_them() -> None:
    rows = torch.arange(8).view(1, 1, 8, 1).expand(2, 3, 8, 8)
    columns = torch.arange(8).expand(2, 3, 8, 8)
    random, corners = torch.Generator().manual_seed(0), set()
    for _ in range(200):
        state = random.get_state()
        tops = trainer.random_piece(rows, 6, random)
        random.set_state(state)
        lefts = trainer.random_piece(columns, 6, random)
        assert tops.shape == (2, 3, 6, 6)
        assert torch.equal(tops[0], tops[1])
        corners.add((int(tops[0, 0, 0, 0]), int(lefts[0, 0, 0, 0])))
    assert corners == {(top, left) for top in range(3) for left in range(3)}
    assert trainer.random_piece(rows, 8, random) is rows


def test_a_growing_training_shows_the_network_growing_pieces(ranks: Ranks, folder: Path) -> None:
    settings = config(image_size=96, start_size=64)
    _, seen = run(ranks, folder, settings)
    assert [p.photo.shape[-1] for p in seen] == [64] * 5 + [80] * 2 + [96]


def test_a_training_that_is_over_does_nothing_more(ranks: Ranks, folder: Path) -> None:
    state, _ = run(ranks, folder, config(epochs=1))
    before = result(state)
    assert run(ranks, folder, config(epochs=1), state)[1] == []
    assert same(result(state), before)


def test_cosine_falls_from_the_learning_rate_to_nearly_zero(ranks: Ranks, folder: Path) -> None:
    _, seen = run(ranks, folder, config(schedule="cosine"))
    expected = [1e-3 * (1 + math.cos(math.pi * i / 8)) / 2 for i in range(8)]
    assert [p.learning_rate for p in seen] == pytest.approx(expected)


def test_the_learning_rate_warms_up(ranks: Ranks, folder: Path) -> None:
    _, seen = run(ranks, folder, config(warm_up=4))
    assert [p.learning_rate for p in seen] == pytest.approx([0.25e-3, 0.5e-3, 0.75e-3] + [1e-3] * 5)


def test_the_moving_average_by_hand(ranks: Ranks, folder: Path) -> None:
    settings = config(ema=0.5)
    state = make_state(settings)
    average = [p.double().numpy().copy() for p in state.parameters()]
    for progress in trainer.train(ranks, state, make_loss(settings), Photos.find([folder], settings), settings):
        # 2/11, 3/12, 4/13 … until half is reached, after the eighth step
        decay = min(0.5, (1 + progress.iteration) / (10 + progress.iteration))
        average = [
            decay * a + (1 - decay) * p.double().numpy() for a, p in zip(average, state.parameters(), strict=True)
        ]
        for ours, expected in zip(state.result().values(), average, strict=True):
            np.testing.assert_allclose(ours.numpy(), expected, atol=1e-6)
    assert not same(state.result(), dict(state.network.named_parameters()))


def test_the_result_is_a_copy_under_the_networks_names(ranks: Ranks, folder: Path) -> None:
    state, _ = run(ranks, folder, config(), stop=2)
    found = state.result()
    assert same(found, dict(state.network.state_dict()))
    for value in found.values():
        value.zero_()
    assert float(state.network.head.weight.detach().abs().max()) > 0


def test_the_loss_network_is_not_trained(ranks: Ranks, folder: Path) -> None:
    settings = config()
    loss = make_loss(settings)
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    for _ in trainer.train(ranks, make_state(settings), loss, Photos.find([folder], settings), settings):
        pass
    assert same(dict(loss.state_dict()), before)
    assert all(p.grad is None for p in loss.parameters())


# --- What goes wrong ---


def is_sound(network: TransformerNet, weights: dict[str, Tensor], loss: PerceptualLoss, folder: Path) -> bool:
    """Whether the weights are finite and give a finite loss."""
    copy = TransformerNet(network.config)
    copy.load_state_dict(weights)
    settings = config()
    batch = next(iter(Photos.find([folder], settings).epoch(0))).photos.float() / 255
    finite = all(bool(torch.isfinite(value).all()) for value in weights.values())
    return finite and bool(torch.isfinite(loss(copy(batch), batch).total))


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_loss_that_is_not_finite_ends_the_training_at_the_last_good_weights(
    ranks: Ranks, folder: Path, ema: float
) -> None:
    settings = config(learning_rate=1e30, ema=ema)
    state = make_state(settings)
    with pytest.raises(NotFiniteError, match=r"became (nan|inf)"):
        run(ranks, folder, settings, state)
    assert isinstance(NotFiniteError("x"), ImpastoError)
    loss = make_loss(settings)
    assert is_sound(state.network, dict(state.network.state_dict()), loss, folder)
    assert is_sound(state.network, state.result(), loss, folder)


def test_after_a_loss_that_is_not_finite_the_weights_are_those_of_the_step_before(ranks: Ranks, folder: Path) -> None:
    settings = config(ema=0.9)
    state, loss = make_state(settings), make_loss(settings)
    steps = trainer.train(ranks, state, loss, Photos.find([folder], settings), settings)
    next(steps)
    next(steps)
    kept = result(state)
    next(steps)
    with torch.no_grad():
        state.network.head.weight.fill_(math.nan)
    with pytest.raises(NotFiniteError, match="iteration 4"):
        next(steps)
    assert same(result(state), kept)


def test_a_gradient_that_is_not_finite_ends_the_training_before_it_spoils_the_weights(
    ranks: Ranks, folder: Path
) -> None:
    settings = config()
    state, loss = make_state(settings), make_loss(settings)
    state.network.head.bias.register_hook(lambda gradient: gradient * math.inf)
    before = result(state)
    steps = trainer.train(ranks, state, loss, Photos.find([folder], settings), settings)
    with pytest.raises(NotFiniteError, match=r"gradient became (nan|inf) at iteration 1"):
        next(steps)
    assert same(result(state), before)


def test_broken_photos_are_skipped_and_named(ranks: Ranks, tmp_path: Path) -> None:
    make_photos(tmp_path, 13)
    bad = tmp_path / "broken photo ä.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing")
    settings = config()
    photos = Photos.find([tmp_path], settings)
    seen = list(trainer.train(ranks, make_state(settings), make_loss(settings), photos, settings))
    assert len(seen) == 2 * (14 // 2)
    assert list(photos.broken) == [str(bad)]


def test_too_many_broken_photos_end_it_before_it_begins(ranks: Ranks, tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 10)
    for path in paths[:2]:
        path.write_bytes(b"")
    with pytest.raises(ImpastoError, match="2 of the first 10"):
        run(ranks, tmp_path, config())


def test_a_photo_that_vanishes_while_training_is_left_out(ranks: Ranks, tmp_path: Path) -> None:
    paths = make_photos(tmp_path, 20)
    settings = config(epochs=2)
    photos = Photos.find([tmp_path], settings)
    seen = []
    for progress in trainer.train(ranks, make_state(settings), make_loss(settings), photos, settings):
        seen.append(progress)
        if progress.iteration == 10:
            paths[5].unlink()
    assert list(photos.broken) == [str(paths[5])]
    assert len(seen) == 20  # others take its place
    assert seen[-1].done == 1


# --- Device and precision ---


def test_a_device_that_is_not_here_is_refused() -> None:
    missing = "cuda" if not torch.cuda.is_available() else "mps"
    with pytest.raises(ImpastoError, match=f"--device {missing}.*auto or cpu"):
        choose_device(missing)
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda", "mps")


def test_a_precision_asked_for_is_kept() -> None:
    assert choose_precision("float32", "cpu") == "float32"
    assert choose_precision("bf16", "cpu") == "bf16"
    assert choose_precision("auto", "mps") == "float32"
    assert choose_precision("auto", "cpu") in ("float32", "bf16")


def test_bfloat16_trains_float32_weights_to_nearly_the_same_losses(folder: Path) -> None:
    settings = replace(config(), precision="bf16")
    rough = Ranks(make_fabric("cpu", "bf16"))
    state = make_state(settings)
    lay_out(state.network, rough.fabric)
    loss = lay_out(make_loss(settings), rough.fabric)
    seen = list(trainer.train(rough, state, loss, Photos.find([folder], settings), settings))
    _, exact = run(Ranks(make_fabric("cpu", "float32")), folder, config())
    assert all(value.dtype == torch.float32 for value in state.result().values())
    assert [p.total_loss for p in seen] == pytest.approx([p.total_loss for p in exact], rel=0.1)

"""The configuration: what `classic` is, what is refused and how it says so."""

from __future__ import annotations

import dataclasses
import math
import tomllib
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.config import (
    RECIPES,
    LossConfig,
    NetworkConfig,
    TrainConfig,
    flatten,
    make_config,
    option_name,
    options,
    undetermined,
)
from impasto.errors import ImpastoError

VGG_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")


def test_the_classic_recipe_is_the_source_example_to_the_letter() -> None:
    config = make_config(RECIPES["classic"])
    assert config == TrainConfig()
    expected: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 0.001,
        "optimizer": "adam",
        "beta1": 0.9,
        "beta2": 0.999,
        "clip_gradients": 0,
        "schedule": "constant",
        "warm_up": 0,
        "ema": 0,
        "image_size": 256,
        "start_size": 0,
        "style_size": 256,
        "stroke_size": 1,
        "synthetic": 0,
        "fit": "stretch",
        "style_fit": "stretch",
        "fraction": 1,
        "device": "auto",
        "max_iterations": 0,
        "max_minutes": 0,
        "plot_every": 10,
        "body": "classic",
        "width": 32,
        "blocks": 5,
        "downsampling": 4,
        "padding": "zero",
        "output": "tanh",
        "loss_network": "vgg16",
        "content_layers": ("relu3_3",),
        "style_layers": VGG_LAYERS,
        "balanced": False,
        "content_weight": 1e-4,
        "style_weight": 3e-8,
        "style_strength": 5,
        "tv_weight": 0,
        "calm_weight": 0,
        "look_scale": (1, 1),
        "look_shift": 0,
        "look_beyond": 0,
    }
    found = flatten(config)
    assert {name: found[name] for name in expected} == expected
    # What is left is no part of the definition: the seed, the machine, the disk.
    assert (found["start"], found["learn"], found["identity_weight"], found["skip"]) == ("random", "all", 0, False)
    assert found["style_margin"] == 0
    rest = {"seed", "precision", "workers", "checkpoint_minutes", "loss_normalization"}
    rest |= {"temporal_weight", "checkpoint_every", "devices", "nodes"}  # all of them off
    rest |= {"start", "learn", "identity_weight", "skip", "style_margin"}
    assert set(found) - set(expected) == rest


def test_the_usual_layers_and_weights_follow_the_loss_network() -> None:
    vgg19, squeezenet = LossConfig(loss_network="vgg19"), LossConfig(loss_network="squeezenet")
    assert vgg19.style_layers == VGG_LAYERS
    assert squeezenet.content_layers == ("fire5",)
    assert squeezenet.style_layers == ("conv1", "fire2", "fire3", "fire4", "fire6", "fire8")
    for config in (vgg19, squeezenet):
        assert (config.content_weight, config.style_weight) == (1e-4, 3e-8)


def test_balanced_changes_the_default_weights_alone() -> None:
    balanced = LossConfig(balanced=True)
    assert (balanced.content_weight, balanced.style_weight) == (1, 25)
    assert LossConfig(balanced=True, style_weight=7.0).style_weight == 7
    assert LossConfig(balanced=True, style_weight=7.0).content_weight == 1
    assert LossConfig(style_weight=0.0).style_weight == 0


@pytest.mark.parametrize("balanced", [False, True])
def test_style_strength_scales_the_usual_weight_and_leaves_a_weight_that_is_named(balanced: bool) -> None:
    usual = LossConfig(balanced=balanced).style_weight
    assert usual is not None
    for strength in (1.0, 4.0, 5.0, 6.5, 10.0):
        config = LossConfig(balanced=balanced, style_strength=strength)
        assert config.style_weight == pytest.approx(usual * 1.5 ** (strength - 5))
        assert LossConfig(balanced=balanced, style_strength=strength, style_weight=7.0).style_weight == 7.0
    # A run folder holds both: the weight that was settled once is not scaled again.
    settled = TrainConfig(loss=LossConfig(balanced=balanced, style_strength=8))
    assert make_config(flatten(settled)) == settled


def test_stroke_size_is_how_large_the_painting_is_shown() -> None:
    assert TrainConfig(style_size=256).painting_size == 256
    assert TrainConfig(style_size=256, stroke_size=1.5).painting_size == 384
    assert TrainConfig(style_size=100, stroke_size=0.25).painting_size == 32  # a loss network needs some pixels


def test_a_training_without_epochs_needs_another_end() -> None:
    assert TrainConfig(epochs=0, max_minutes=1).epochs == 0
    assert TrainConfig(epochs=0, max_iterations=1).epochs == 0
    with pytest.raises(ImpastoError, match="--max-minutes or --max-iterations"):
        TrainConfig(epochs=0)


def test_every_recipe_is_a_valid_configuration_and_quick_takes_ten_minutes() -> None:
    for values in RECIPES.values():
        make_config(values)
    assert make_config(RECIPES["quick"]).max_minutes == 10


def test_layers_that_are_named_stay() -> None:
    assert LossConfig(content_layers=("relu2_2",)).content_layers == ("relu2_2",)
    assert LossConfig(content_layers=("relu2_2",)).style_layers == VGG_LAYERS


def test_every_option_has_one_owner_a_sentence_and_its_own_name() -> None:
    owners = (TrainConfig, NetworkConfig, LossConfig)
    names = [
        f.name for owner in owners for f in dataclasses.fields(owner) if f.name not in ("network", "loss", "styles")
    ]
    assert len(names) == len(set(names))
    assert set(options()) == set(names)
    for name, (owner, item) in options().items():
        assert item.name == name
        assert name in typing.get_type_hints(owner)
        assert item.metadata["help"].endswith(".")


def test_configurations_cannot_be_changed() -> None:
    for config, name in ((TrainConfig(), "epochs"), (NetworkConfig(), "width"), (LossConfig(), "balanced")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(config, name, 1)


# --- Round trips ---

CHANGED: dict[str, Any] = {
    "epochs": 3,
    "learning_rate": 5e-4,
    "schedule": "cosine",
    "ema": 0.99,
    "fraction": 0.5,
    "seed": 7,
    "max_minutes": 1.5,
    "width": 16,
    "padding": "reflection",
    "output": "linear",
    "loss_network": "squeezenet",
    "style_layers": ("conv1", "fire2"),
    "balanced": True,
    "tv_weight": 0.25,
    "calm_weight": 1.5,
    "look_scale": (0.75, 1.5),
    "look_shift": 4,
    "look_beyond": 2,
    "style_margin": 0.125,
    "start": "trained",
}


@pytest.mark.parametrize("values", [{}, CHANGED, {"balanced": True}, {"loss_network": "vgg19", "style_weight": 0.0}])
def test_a_configuration_comes_back_from_its_flat_values(values: dict[str, Any]) -> None:
    config = make_config(values)
    flat = flatten(config)
    assert set(flat) == set(options())
    assert {name: flat[name] for name in values} == values
    assert make_config(flat) == config


@given(st.sets(st.sampled_from(list(CHANGED))))
def test_any_choice_of_options_comes_back(names: set[str]) -> None:
    values = {name: CHANGED[name] for name in names}
    if "style_layers" in values:
        values["loss_network"] = "squeezenet"
    flat = flatten(make_config(values))
    assert {name: flat[name] for name in values} == values
    assert make_config(flat) == make_config(values)


def test_values_as_toml_writes_them() -> None:
    text = """
    epochs = 1
    learning_rate = 1          # a whole number where a fraction is meant
    style_weight = 2
    content_layers = ["relu2_2"]
    look_scale = [1, 2.5]
    balanced = true
    fit = "crop"
    """
    config = make_config(tomllib.loads(text), "my.toml")
    assert config.epochs == 1
    assert config.learning_rate == 1.0
    assert isinstance(config.learning_rate, float)
    assert isinstance(config.loss.style_weight, float)
    assert config.loss.content_layers == ("relu2_2",)
    assert config.loss.look_scale == (1.0, 2.5)
    assert all(isinstance(factor, float) for factor in config.loss.look_scale)
    assert config.loss.balanced is True
    assert config.fit == "crop"


# --- What is refused ---


@pytest.mark.parametrize(
    ("key", "meant"),
    [("epoch", "epochs"), ("style_wieght", "style_weight"), ("learning-rate", "learning_rate"), ("Width", "width")],
)
def test_an_unknown_key_is_named_with_a_suggestion(key: str, meant: str) -> None:
    with pytest.raises(ImpastoError, match=rf"^my\.toml has an unknown key '{key}'; did you mean '{meant}'\?$"):
        make_config({key: 1}, "my.toml")


def test_an_unknown_key_far_from_all_has_no_suggestion() -> None:
    with pytest.raises(ImpastoError, match=r"unknown key 'zzzzqqqq'$"):
        make_config({"zzzzqqqq": 1})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("epochs", 1.5, "a whole number"),
        ("epochs", 2.0, "a whole number"),
        ("epochs", True, "a whole number"),
        ("epochs", "2", "a whole number"),
        ("epochs", None, "a whole number"),
        ("learning_rate", "fast", "a number"),
        ("learning_rate", False, "a number"),
        ("learning_rate", [1e-3], "a number"),
        ("style_weight", "1e-8", "a number"),
        ("style_weight", True, "a number"),
        ("balanced", 1, "true or false"),
        ("balanced", "yes", "true or false"),
        ("fit", 3, "one of stretch, crop"),
        ("fit", True, "one of stretch, crop"),
        ("content_layers", "relu3_3", "a list of names"),
        ("content_layers", 3, "a list of names"),
        ("content_layers", ["relu3_3", 4], "."),
        ("look_scale", [1.0], "a list of 2 numbers"),
        ("look_scale", [1.0, 1.0, 1.0], "a list of 2 numbers"),
        ("look_scale", 1.5, "a list of 2 numbers"),
        ("look_scale", ["a", "b"], "."),
        ("width", 32.0, "a whole number"),
    ],
)
def test_a_value_of_another_type_is_named(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(ImpastoError, match=rf"^my\.toml: {name} is .*which is not .*{wanted}"):
        make_config({name: value}, "my.toml")


def test_a_whole_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(ImpastoError, match="learning_rate"):
        make_config({"learning_rate": 10**400})


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("style_strength", 1.0, 10.0),
        ("stroke_size", 0.25, 4.0),
        ("synthetic", 0.0, 1.0),
        ("start_size", 64, 256),
        ("batch_size", 1, None),
        ("plot_every", 1, None),
        ("warm_up", 0, None),
        ("max_iterations", 0, None),
        ("max_minutes", 0.0, None),
        ("clip_gradients", 0.0, None),
        ("seed", 0, None),
        ("image_size", 32, 4096),
        ("style_size", 32, 4096),
        ("workers", -1, 256),
        ("width", 1, 512),
        ("blocks", 0, 64),
        ("look_shift", 0, 32),
        ("look_beyond", 0, 32),
        ("style_margin", 0.0, 0.4),
        ("content_weight", 0.0, None),
        ("style_weight", 0.0, None),
        ("tv_weight", 0.0, None),
        ("calm_weight", 0.0, None),
        ("fraction", None, 1.0),
    ],
)
def test_ranges_end_where_they_say(name: str, low: float | None, high: float | None) -> None:
    for edge, step in ((low, -1), (high, 1)):
        if edge is not None:
            assert flatten(make_config({name: edge}))[name] == edge
            with pytest.raises(ImpastoError) as raised:
                make_config({name: edge + step})
            assert option_name(name) in str(raised.value)
            assert str(edge + step) in str(raised.value)


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"epochs": -1},
        {"downsampling": 8},
        {"learning_rate": 0.0},
        {"learning_rate": -1e-3},
        {"fraction": 0.0},
        {"beta1": 1.0},
        {"beta2": 1.0},
        {"ema": 1.0},
        {"ema": -0.1},
        {"checkpoint_minutes": 0.0},
        {"look_scale": (1.5, 1.0)},
        {"look_scale": (0.2, 1.0)},
        {"look_scale": (1.0, 4.5)},
        {"style_weight": math.inf},
        {"learning_rate": math.inf},
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any]) -> None:
    (name,) = values
    with pytest.raises(ImpastoError, match=option_name(name)):
        make_config(values)


@pytest.mark.parametrize(
    "name",
    [name for name, (owner, item) in options().items() if "float" in str(item.type)],
)
def test_nan_is_refused_everywhere(name: str) -> None:
    value = (math.nan, math.nan) if name == "look_scale" else math.nan
    with pytest.raises(ImpastoError, match=option_name(name)):
        make_config({name: value})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("fit", "squash", "stretch, crop"),
        ("style_fit", "none", "stretch, crop, keep"),
        ("schedule", "linear", "constant, cosine"),
        ("padding", "zeros", "zero, reflection"),
        ("output", "sigmoid", "tanh, linear"),
        ("loss_network", "vgg-16", "vgg16, vgg19, squeezenet, pocket"),
        ("loss_normalization", "imagenet", "auto, caffe, caffe-rounded, torchvision"),
        ("device", "gpu", "auto, cpu, cuda, mps"),
        ("precision", "fp16", "auto, float32, bf16"),
    ],
)
def test_a_choice_that_does_not_exist_is_answered_with_those_that_do(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ImpastoError, match=f"^{option_name(name)} is '{value}'; it must be one of {allowed}$"):
        make_config({name: value})


def test_what_follows_from_the_rest_gives_way_to_another_option() -> None:
    kept = flatten(make_config(RECIPES["quick"]))
    taken_back = undetermined(kept)
    assert make_config(taken_back) == make_config(kept)
    stronger = make_config({**taken_back, "style_strength": 9.0})
    assert stronger == make_config({**RECIPES["quick"], "style_strength": 9.0})
    assert stronger.loss.style_weight > 100
    own = undetermined({**kept, "style_weight": 3.5, "style_layers": ("fire2",)})
    assert (own["style_weight"], own["style_layers"]) == (3.5, ("fire2",))
    assert "content_weight" not in own

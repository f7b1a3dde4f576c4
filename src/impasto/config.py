"""Every number of a training, checked on creation; a default is written here and nowhere else.

The three dataclasses are also the command line's options and the keys of a TOML file: each field's
name is unique among them, so that `content_weight` means one thing everywhere (:func:`options`).
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from impasto.errors import ImpastoError

LossNetworkName = Literal["vgg16", "vgg19", "squeezenet", "pocket"]
Body = Literal["classic", "turbo"]
Padding = Literal["zero", "reflection"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bf16"]
Optimizer = Literal["adam", "soap"]
BackendName = Literal["auto", "openvino", "onnxruntime", "torch"]
CodecName = Literal["h264", "hevc", "vp9", "av1", "gif", "webp"]


@dataclass(frozen=True)
class LossLayers:
    """Which layers of a loss network are compared when the user names none, and how they are weighted."""

    content: tuple[str, ...]
    style: tuple[str, ...]
    content_weight: float
    style_weight: float


USUAL_LAYERS: dict[str, LossLayers] = {
    # The source example's layers and weights.
    "vgg16": LossLayers(("relu3_3",), ("relu1_2", "relu2_2", "relu3_3", "relu4_3"), 1e-4, 3e-8),
    "vgg19": LossLayers(("relu3_3",), ("relu1_2", "relu2_2", "relu3_3", "relu4_3"), 1e-4, 3e-8),
    "squeezenet": LossLayers(("fire5",), ("conv1", "fire2", "fire3", "fire4", "fire6", "fire8"), 1e-4, 3e-8),
    "pocket": LossLayers(("fire5",), ("stage1", "stage2", "fire2", "fire3", "fire4", "fire6", "fire8"), 1e-4, 3e-8),
}

# In the balanced form both losses are relative numbers near 1, whatever the network.
BALANCED_WEIGHTS = (1.0, 25.0)


USUAL_STRENGTH = 5.0
STRENGTH_STEP = 1.5
"""Factor of the style weight from one step of --style-strength to the next."""

SMALLEST_LOOK = 16
"""Side in pixels of the smallest image of which the usual layers of every loss network see something."""


def doc(default: Any, text: str) -> Any:
    """A dataclass field with its sentence, which the command line shows as the option's help."""
    return field(default=default, metadata={"help": text})


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ImpastoError(message)


def _check_choices(config: Any) -> None:
    for name, annotation in typing.get_type_hints(type(config)).items():
        if typing.get_origin(annotation) is Literal:
            value, allowed = getattr(config, name), typing.get_args(annotation)
            require(value in allowed, f"{option_name(name)} is {value!r}; it must be one of {', '.join(allowed)}")


@dataclass(frozen=True)
class NetworkConfig:
    """The image transformer network: classic is that of Johnson, Alahi, Fei-Fei, ECCV 2016."""

    body: Body = doc("classic", "The network's body: classic, or turbo, several times faster (space to depth).")
    width: int = doc(
        32, "Channels of the first layer; the following ones of a classic body have two and four times as many."
    )
    blocks: int = doc(5, "Number of residual blocks.")
    downsampling: int = doc(4, "How much smaller the grid is that the residual blocks work on; turbo: 4 or 8.")
    padding: Padding = doc("zero", "What convolutions see beyond the border.")
    output: Literal["tanh", "linear"] = doc("tanh", "How the last layer becomes pixels: tanh, or linear and clamped.")
    skip: bool = doc(False, "Let a share of the photo through, learned for each style.")
    styles: int = 1
    """Number of styles, a row of (scale, offset) each; no option, since a training makes one."""

    def __post_init__(self) -> None:
        _check_choices(self)
        require(1 <= self.width <= 512, f"--width is {self.width}; it must lie between 1 and 512")
        require(0 <= self.blocks <= 64, f"--blocks is {self.blocks}; it must lie between 0 and 64")
        allowed = (4, 8) if self.body == "turbo" else (4,)
        require(
            self.downsampling in allowed,
            f"--downsampling is {self.downsampling}; a {self.body} body has {' or '.join(map(str, allowed))}",
        )
        require(1 <= self.styles <= 4096, f"a network holds 1 to 4096 styles, not {self.styles}")


@dataclass(frozen=True)
class LossConfig:
    """The perceptual loss: which network looks, at which layers, and how the parts are weighted."""

    loss_network: LossNetworkName = doc("vgg16", "The network whose features are compared.")
    loss_normalization: Literal["auto", "caffe", "caffe-rounded", "torchvision"] = doc(
        "auto", "What the loss network's weights expect of a pixel; auto tells it from the file."
    )
    content_layers: tuple[str, ...] = doc((), "Layers of the content loss (default: the network's usual ones).")
    style_layers: tuple[str, ...] = doc((), "Layers of the style loss (default: the network's usual ones).")
    balanced: bool = doc(False, "Divide each distance by its own scale, so that one weight fits any painting.")
    content_weight: float | None = doc(None, "Weight of the content loss (default: 1e-4; balanced: 1).")
    style_weight: float | None = doc(
        None, "Weight of the style loss (default: 3e-8, balanced: 25, each times what --style-strength makes of it)."
    )
    style_strength: float = doc(
        USUAL_STRENGTH, "How much of the painting, 1 to 10: one more is half as much style weight again."
    )
    tv_weight: float = doc(0.0, "Weight of the total variation of the result.")
    calm_weight: float = doc(
        0.0, "Weight, in the end, of marks in flat parts of a photo that the painting's calm parts don't have."
    )
    look_scale: tuple[float, float] = doc(
        (1.0, 1.0), "The loss network looks at everything enlarged by a random factor from this range."
    )
    look_shift: int = doc(0, "The loss network looks at everything shifted by up to so many random pixels.")
    look_beyond: int = doc(
        0, "The loss network looks so many pixels beyond every border, where it sees the picture mirrored."
    )

    def __post_init__(self) -> None:
        _check_choices(self)
        require(
            1 <= self.style_strength <= 10, f"--style-strength is {self.style_strength}; it must lie between 1 and 10"
        )
        usual = USUAL_LAYERS[self.loss_network]
        weights = BALANCED_WEIGHTS if self.balanced else (usual.content_weight, usual.style_weight)
        resolved = {
            "content_layers": self.content_layers or usual.content,
            "style_layers": self.style_layers or usual.style,
            "content_weight": weights[0] if self.content_weight is None else self.content_weight,
            "style_weight": weights[1] * STRENGTH_STEP ** (self.style_strength - USUAL_STRENGTH)
            if self.style_weight is None
            else self.style_weight,
        }
        for name, value in resolved.items():
            object.__setattr__(self, name, value)
        for name in ("content_weight", "style_weight", "tv_weight", "calm_weight"):
            value = getattr(self, name)
            require(0 <= value < float("inf"), f"{option_name(name)} is {value}; it must be zero or positive")
        require(0 <= self.look_shift <= 32, f"--look-shift is {self.look_shift}; it must lie between 0 and 32")
        require(0 <= self.look_beyond <= 32, f"--look-beyond is {self.look_beyond}; it must lie between 0 and 32")
        low, high = self.look_scale
        require(
            0.25 <= low <= high <= 4, f"--look-scale is {low} {high}; two factors from 0.25 to 4, the smaller first"
        )


@dataclass(frozen=True)
class TrainConfig:
    """One training; the defaults are the recipe `classic`, the source example to the letter."""

    epochs: int = doc(2, "Passes over the photos; 0 for as many as --max-minutes or --max-iterations allow.")
    batch_size: int = doc(4, "Photos per step; an incomplete last batch is dropped.")
    optimizer: Optimizer = doc("adam", "adam, or soap, which learns more in as many steps.")
    learning_rate: float = doc(1e-3, "The optimizer's learning rate.")
    beta1: float = doc(0.9, "Adam's decay of the first moment.")
    beta2: float = doc(0.999, "Adam's decay of the second moment.")
    clip_gradients: float = doc(0.0, "Largest norm of the gradient; 0 turns clipping off.")
    schedule: Literal["constant", "cosine"] = doc(
        "constant", "How the learning rate goes: constant, or cosine to zero."
    )
    warm_up: int = doc(0, "Steps in which the learning rate climbs to its full value.")
    ema: float = doc(0.0, "Decay of the moving average of the weights that the style file gets; 0 turns it off.")
    start: Literal["random", "trained", "gallery"] = doc(
        "random",
        "What the network begins as: random; trained, which has learned other paintings (turbo only); or gallery, the "
        "network of the bundled styles.",
    )
    learn: Literal["all", "rows"] = doc(
        "all", "What learns: all of the network, or only a style's rows, the scales and offsets of its norms."
    )
    identity_weight: float = doc(
        0.0, "Weight of the error with which a further row of the network gives photos back; above 0 there is one."
    )
    temporal_weight: float = doc(
        0.0, "Weight of the change of the result where a photo only moves or gets noise: keeps videos from flickering."
    )
    image_size: int = doc(256, "Side of the square training photos in pixels.")
    start_size: int = doc(0, "Side of the pieces of them that a training begins with, growing in steps; 0: no growing.")
    style_size: int = doc(256, "Side of the style image in pixels; larger gives larger strokes.")
    stroke_size: float = doc(1.0, "How large the painting's marks come out, from 0.25 to 4; 1 as at --style-size.")
    fit: Literal["stretch", "crop"] = doc("stretch", "How photos become square: stretched, or the largest centre crop.")
    style_fit: Literal["stretch", "crop", "keep"] = doc(
        "stretch", "How the painting gets its size: stretched, cropped, or its short side resized."
    )
    style_margin: float = doc(0.0, "Share of the painting left out along each side: frames and the edges of scans.")
    synthetic: float = doc(0.0, "Share of the photos that are drawn, not read; without --photos all are.")
    fraction: float = doc(1.0, "Share of the photos to use, drawn at random.")
    seed: int = doc(0, "Seed of weights, order and all that is random.")
    precision: Precision = doc("auto", "bf16 runs convolutions in bfloat16; auto where fast.")
    device: Device = doc("auto", "Where to train; auto takes the best there is.")
    workers: int = doc(-1, "Processes that read photos; -1 chooses by the number of cores, 0 reads in the main one.")
    max_iterations: int = doc(0, "Stop after this many steps; 0 for no limit.")
    max_minutes: float = doc(0.0, "Stop after this many minutes of training; 0 for no limit.")
    plot_every: int = doc(10, "Redraw progress.png every so many steps.")
    checkpoint_minutes: float = doc(5.0, "Save a checkpoint every so many minutes.")
    checkpoint_every: int = doc(0, "Save one every so many steps as well; 0: by time alone.")
    devices: int = doc(1, "Train on so many devices of each computer, a process for each; they share every batch.")
    nodes: int = doc(1, "Train on so many computers at once; see docs/many-devices.md.")
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        _check_choices(self)
        for name in ("batch_size", "plot_every", "devices", "nodes"):
            require(getattr(self, name) >= 1, f"{option_name(name)} is {getattr(self, name)}; it must be at least 1")
        for name in (
            "epochs",
            "warm_up",
            "max_iterations",
            "max_minutes",
            "clip_gradients",
            "seed",
            "checkpoint_every",
        ):
            require(getattr(self, name) >= 0, f"{option_name(name)} is {getattr(self, name)}; it must not be negative")
        require(self.max_minutes < float("inf"), "--max-minutes is inf; it must be a number, 0 for no limit")
        require(
            bool(self.epochs or self.max_minutes or self.max_iterations),
            "--epochs 0 needs an end: add --max-minutes or --max-iterations",
        )
        require(0 < self.learning_rate <= 1e30, f"--learning-rate is {self.learning_rate}; it must be positive")
        require(self.seed < 2**63, f"--seed is {self.seed}; it must be below 2**63")
        require(0.25 <= self.stroke_size <= 4, f"--stroke-size is {self.stroke_size}; it must lie between 0.25 and 4")
        require(
            self.start_size == 0 or 64 <= self.start_size <= self.image_size,
            f"--start-size is {self.start_size}; it must be 0, or lie between 64 and --image-size ({self.image_size})",
        )
        self._check_look()
        if self.identity_weight and self.network.styles == 1:
            object.__setattr__(self, "network", replace(self.network, styles=2))
        for name in ("identity_weight", "temporal_weight"):
            value = getattr(self, name)
            require(0 <= value < float("inf"), f"{option_name(name)} is {value}; it must be zero or positive")
        require(
            self.learn == "all" or self.start == "gallery",
            "--learn rows needs a network that can paint already: add --start gallery",
        )
        for name in ("beta1", "beta2", "ema"):
            value = getattr(self, name)
            require(0 <= value < 1, f"{option_name(name)} is {value}; it must lie in [0, 1)")
        require(0 <= self.style_margin <= 0.4, f"--style-margin is {self.style_margin}; it must lie in [0, 0.4]")
        require(0 <= self.synthetic <= 1, f"--synthetic is {self.synthetic}; it must lie in [0, 1]")
        require(0 < self.fraction <= 1, f"--fraction is {self.fraction}; it must lie in (0, 1]")
        for name in ("image_size", "style_size"):
            value = getattr(self, name)
            require(32 <= value <= 4096, f"{option_name(name)} is {value}; it must lie between 32 and 4096 pixels")
        require(-1 <= self.workers <= 256, f"--workers is {self.workers}; it must be -1 or up to 256")
        require(self.checkpoint_minutes > 0, "--checkpoint-minutes must be positive")

    @property
    def painted_styles(self) -> int:
        """How many rows of the network paint: all but the last one, where that is the identity."""
        return self.network.styles - (self.identity_weight > 0)

    @property
    def painting_size(self) -> int:
        """Side of the style image in pixels, with the stroke size in it."""
        return max(32, round(self.style_size * self.stroke_size))

    def _check_look(self) -> None:
        sides = self.start_size or self.image_size, self.painting_size
        smallest = int(self.loss.look_scale[0] * min(sides)) - self.loss.look_shift
        require(
            smallest >= SMALLEST_LOOK,
            f"with this --look-scale, --look-shift, --image-size and --style-size the loss network sees {smallest} "
            f"pixels; it needs {SMALLEST_LOOK}",
        )


BASES: dict[str, dict[str, Any]] = {
    "turbo": {"body": "turbo", "width": 48, "padding": "reflection", "output": "linear", "skip": True},
    "classic": {"body": "classic", "width": 16, "blocks": 8, "padding": "reflection", "output": "linear", "skip": True},
}
"""The networks of the bundled styles."""

QUICK: dict[str, Any] = {
    **BASES["turbo"],
    "skip": False,
    "loss_network": "pocket",
    "balanced": True,
    "tv_weight": 0.1,
    "calm_weight": 4.0,
    # What fools the loss network at one scale does not at another. To `pocket` all this is half as large again.
    "look_scale": (0.83, 1.17),
    # As far as the grid of its last stage is wide, so that nothing can settle between the cells.
    "look_shift": 7,
    # The line along a border counts for more than others: it is repeated beyond it. One pixel more than the shift.
    "look_beyond": 8,
    "fit": "crop",
    "style_fit": "keep",
    # What lies along a painting's edge would be painted along the edge of every photo.
    "style_margin": 0.02,
    "start": "trained",
    "start_size": 160,
    # More steps in the same time are worth more than a steadier gradient.
    "batch_size": 1,
    "epochs": 0,
    "max_minutes": 10.0,
    "optimizer": "soap",
    "learning_rate": 7e-3,
    "schedule": "cosine",
    "warm_up": 60,
    "ema": 0.995,
    "checkpoint_minutes": 2.0,
}
QUICK_BF16_BATCH = 2
"""Photos of a step of `quick` on drawn images where bf16 is native: small pieces take hardly longer in pairs."""
RECIPES: dict[str, dict[str, Any]] = {
    "classic": {},
    "quick": QUICK,
    "fit": {
        **QUICK,
        **BASES["turbo"],
        "start": "gallery",
        "learn": "rows",
        "identity_weight": 100.0,
        "start_size": 192,
        "max_minutes": 2.0,
        # Rows alone bear a far higher rate than a whole network.
        "learning_rate": 3e-2,
        "checkpoint_minutes": 1.0,
    },
}
"""A recipe is the options in which it differs from the defaults above."""
FIT_ALL: dict[str, Any] = {"learn": "all", "learning_rate": QUICK["learning_rate"]}
"""What makes `fit` change all of the network."""


DETERMINED = ("content_layers", "style_layers", "content_weight", "style_weight")
"""Options that, where they are not given, follow from the loss network and what is balanced how strongly."""


def option_name(name: str) -> str:
    """`content_weight` → `--content-weight`."""
    return "--" + name.replace("_", "-")


@cache
def options() -> dict[str, tuple[type, dataclasses.Field[Any]]]:
    """All options of a training by name, each with the dataclass that owns it."""
    found: dict[str, tuple[type, dataclasses.Field[Any]]] = {}
    for owner in (TrainConfig, NetworkConfig, LossConfig):
        for item in dataclasses.fields(owner):
            if "help" in item.metadata:
                assert item.name not in found, f"two options are called {item.name}"
                found[item.name] = (owner, item)
    return found


def make_config(values: Mapping[str, Any], where: str = "the configuration") -> TrainConfig:
    """A TrainConfig of flat option values, e.g. ``{"epochs": 1, "style_weight": 1e-8}``.

    Raises:
        ImpastoError: an unknown name, or a value of the wrong type or range; the text names it and `where`.
    """
    parts: dict[type, dict[str, Any]] = {TrainConfig: {}, NetworkConfig: {}, LossConfig: {}}
    for name, value in values.items():
        if name not in options():
            near = difflib.get_close_matches(name, options(), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ImpastoError(f"{where} has an unknown key {name!r}{hint}")
        owner = options()[name][0]
        parts[owner][name] = _coerce(typing.get_type_hints(owner)[name], value, name, where)
    network, loss = NetworkConfig(**parts[NetworkConfig]), LossConfig(**parts[LossConfig])
    return TrainConfig(**parts[TrainConfig], network=network, loss=loss)


def make_network(values: Mapping[str, Any], where: str) -> NetworkConfig:
    """A NetworkConfig as a style file holds it, the number of styles included. Raises ImpastoError as `make_config`."""
    hints = typing.get_type_hints(NetworkConfig)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ImpastoError(f"{where} has an unknown key {unknown[0]!r}")
    return NetworkConfig(**{name: _coerce(hints[name], value, name, where) for name, value in values.items()})


def flatten(config: TrainConfig) -> dict[str, Any]:
    """The option values of a configuration: the inverse of :func:`make_config`."""
    owners = {TrainConfig: config, NetworkConfig: config.network, LossConfig: config.loss}
    return {name: getattr(owners[owner], name) for name, (owner, _) in options().items()}


def undetermined(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without those that follow from the others anyway, and would hold on when one of these is changed.

    Raises:
        ImpastoError: as :func:`make_config`.
    """
    others = {name: value for name, value in values.items() if name not in DETERMINED}
    found, usual = flatten(make_config(values)), flatten(make_config(others))
    return {name: value for name, value in values.items() if name in others or found[name] != usual[name]}


def _coerce(annotation: Any, value: Any, name: str, where: str) -> Any:
    """`value` as a TOML file or the command line gives it, in the type that the field declares."""
    problem = ImpastoError(f"{where}: {name} is {value!r}, which is not {_describe(annotation)}")
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if type(None) in args:
        if value is None:
            return None
        annotation = next(arg for arg in args if arg is not type(None))
    if origin is tuple:
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise problem
        items = list(value)
        if Ellipsis not in args and len(items) != len(args):
            raise problem
        return tuple(_coerce(args[0], item, name, where) for item in items)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError as error:
            raise problem from error
    expected = str if origin is Literal else annotation
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise problem
    return value


def _describe(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return "one of " + ", ".join(typing.get_args(annotation))
    if typing.get_origin(annotation) is tuple:
        args = typing.get_args(annotation)
        return "a list of names" if Ellipsis in args else f"a list of {len(args)} numbers"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names.get(annotation, "a number")

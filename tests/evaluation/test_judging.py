"""Who judges: never the network that trained the style, as long as another is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.errors import ImpastoError
from impasto.evaluation.judging import choose_judge, choose_network, teachers
from impasto.files.weights import PACKAGED, entries


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which weights are looked for, and no other one."""
    for name in ("IMPASTO_CACHE", "TORCH_HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path / "IMPASTO_CACHE" / "weights"


def put(cache: Path, network: str) -> None:
    entry = entries(network)[0]
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / entry.name).open("wb") as file:
        file.truncate(entry.source.size or 10)


def test_the_first_that_did_not_train_the_style(cache: Path) -> None:
    assert "pocket" in PACKAGED
    assert choose_judge("auto", None, {"vgg16"}).name == "pocket"
    put(cache, "vgg16")
    assert choose_judge("auto", None, {"pocket"}).name == "vgg16"
    assert choose_judge("auto", None, {""}).name == "vgg16"
    put(cache, "squeezenet")
    assert choose_judge("auto", None, {"vgg16"}).name == "squeezenet"
    assert choose_judge("auto", None, {"squeezenet", "vgg16"}).name == "pocket"
    assert "did not train" in choose_judge("auto", None, {"vgg16"}).reason


def test_where_there_is_no_other_it_says_so(cache: Path) -> None:
    choice = choose_judge("auto", None, {"pocket"})
    assert choice.name == "pocket"
    assert "no other" in choice.reason
    assert "flatters" in choice.reason


def test_a_judge_that_was_asked_for_judges(cache: Path) -> None:
    assert choose_judge("vgg19", None, {"vgg16"}) == ("vgg19", "as asked")
    assert "flatters" in choose_judge("vgg16", None, {"vgg16"}).reason
    assert choose_judge("vgg16", Path("w.h5"), set()).name == "vgg16"


def test_a_loss_network_to_optimize_with(cache: Path) -> None:
    assert choose_network("auto", None) == "pocket"
    assert choose_network("vgg19", None) == "vgg19"


def test_what_cannot_judge_is_refused(cache: Path) -> None:
    with pytest.raises(ImpastoError, match=r"--judge is 'resnet'.*squeezenet"):
        choose_judge("resnet", None, set())
    with pytest.raises(ImpastoError, match=r"w.h5.*--judge"):
        choose_judge("auto", Path("w.h5"), set())
    with pytest.raises(ImpastoError, match="--loss-network is 'resnet'"):
        choose_network("resnet", None)


def test_a_styles_teachers() -> None:
    assert teachers({"options": {"loss_network": "vgg16"}}) == {"vgg16"}
    both = ["squeezenet", "pocket"]
    assert teachers({"options": {"loss_network": "vgg16"}, "loss_networks": both}) == set(both)
    assert teachers({}) == set()

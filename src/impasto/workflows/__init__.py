"""What the command line, the studio and scripts call: load, stylize, train, evaluate."""

from __future__ import annotations

from impasto.evaluation.options import EvaluateOptions, OptimizeOptions
from impasto.workflows.bundled import load, painting_path, paintings, style_path, styles
from impasto.workflows.common import STYLE_SUFFIX
from impasto.workflows.demonstration import DEMO_PAINTING, SAMPLE_PHOTOS, demo, train_demo
from impasto.workflows.evaluations import Optimized, evaluate, optimize
from impasto.workflows.repainting import StylizeOptions, check_target, stylize_image, targets_in
from impasto.workflows.trainings import resume, train, usual_recipe

__all__ = [
    "DEMO_PAINTING",
    "SAMPLE_PHOTOS",
    "STYLE_SUFFIX",
    "EvaluateOptions",
    "OptimizeOptions",
    "Optimized",
    "StylizeOptions",
    "check_target",
    "demo",
    "evaluate",
    "load",
    "optimize",
    "painting_path",
    "paintings",
    "resume",
    "style_path",
    "styles",
    "stylize_image",
    "targets_in",
    "train",
    "train_demo",
    "usual_recipe",
]

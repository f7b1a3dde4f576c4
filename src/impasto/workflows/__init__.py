"""What the command line, the studio and scripts call: load, stylize, train, evaluate."""

from __future__ import annotations

from impasto.evaluation.options import EvaluateOptions, OptimizeOptions
from impasto.workflows.bundled import (
    DEFAULT_STYLE,
    Engine,
    find_style,
    load,
    load_several,
    painting_path,
    paintings,
    style_path,
    styles,
)
from impasto.workflows.cluster import Cluster, jobs_of, stylize_on_cluster
from impasto.workflows.common import STYLE_SUFFIX
from impasto.workflows.contact_sheet import SAMPLE_PHOTOS, contact_sheet, sample_photos
from impasto.workflows.demonstration import DEMO_PAINTING, DEMO_STYLES, demo, train_demo
from impasto.workflows.diagnosis import PLAIN, bench, machine, verdicts
from impasto.workflows.evaluations import EvaluationStopped, Optimized, evaluate, optimize
from impasto.workflows.exporting import ExportOptions, export
from impasto.workflows.repainting import (
    Progress,
    StylizeOptions,
    check_target,
    read_mask,
    stylize_image,
    stylize_photos,
    targets_in,
)
from impasto.workflows.temporal import steadiness
from impasto.workflows.trainings import resume, train, usual_recipe
from impasto.workflows.videos import (
    DEFAULT_VIDEO_STYLE,
    VideoOptions,
    VideoProgress,
    VideoStopped,
    is_unfinished,
    stylize_video,
)
from impasto.workflows.webcam import WebcamOptions
from impasto.workflows.webcam import show as show_webcam

__all__ = [
    "DEFAULT_STYLE",
    "DEFAULT_VIDEO_STYLE",
    "DEMO_PAINTING",
    "DEMO_STYLES",
    "PLAIN",
    "SAMPLE_PHOTOS",
    "STYLE_SUFFIX",
    "Cluster",
    "Engine",
    "EvaluateOptions",
    "EvaluationStopped",
    "ExportOptions",
    "OptimizeOptions",
    "Optimized",
    "Progress",
    "StylizeOptions",
    "VideoOptions",
    "VideoProgress",
    "VideoStopped",
    "WebcamOptions",
    "bench",
    "check_target",
    "contact_sheet",
    "demo",
    "evaluate",
    "export",
    "find_style",
    "is_unfinished",
    "jobs_of",
    "load",
    "load_several",
    "machine",
    "optimize",
    "painting_path",
    "paintings",
    "read_mask",
    "resume",
    "sample_photos",
    "show_webcam",
    "steadiness",
    "style_path",
    "styles",
    "stylize_image",
    "stylize_on_cluster",
    "stylize_photos",
    "stylize_video",
    "targets_in",
    "train",
    "train_demo",
    "usual_recipe",
    "verdicts",
]

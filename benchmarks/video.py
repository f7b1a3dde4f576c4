"""Times a video from file to file, and checks that nothing of it is lost.

    python benchmarks/video.py [--seconds 10] [--plain-frames 4] [--long 60 [--long-size 1280]]

- A clip of 1280×720 pixels, 30 frames a second, H.264 with AAC sound, is made of sample photos.
- `great_wave-turbo` from file to file, and the same pipeline around the usual network in plain eager PyTorch.
- Frames, times and sound of the result against the source's.
- Memory over a longer clip, which is the same again and again.

Processor time tells more than the clock where other programs run: on two cores that are free, a frame takes half of it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from impasto import workflows
from impasto.evaluation.plain import plain_network
from impasto.files.video import Frame, VideoWriter, open_video
from impasto.stylizing.moving import painted

STYLE = "great_wave-turbo"
WIDTH, HEIGHT, RATE, SOUND_RATE = 1280, 720, 30, 48_000
SHOT = 75
"""Frames of one photo."""


def make_clip(path: Path, seconds: int) -> None:
    """A camera that moves over the sample photos, and a tone."""
    photos = [Image.fromarray(photo) for photo in workflows.sample_photos()]
    scales = [1.3 * max(WIDTH / photo.width, HEIGHT / photo.height) for photo in photos]
    large = [
        np.asarray(photo.resize((round(photo.width * scale), round(photo.height * scale))))
        for photo, scale in zip(photos, scales, strict=True)
    ]
    with av.open(str(path), "w") as output:
        pictures = output.add_stream("libx264", rate=RATE, options={"crf": "20"})
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = output.add_stream("aac", rate=SOUND_RATE)
        for number in range(seconds * RATE):
            photo, way = large[number // SHOT % len(large)], number % SHOT / SHOT
            left = round((photo.shape[1] - WIDTH) * way)
            top = round((photo.shape[0] - HEIGHT) * (0.5 + 0.4 * np.sin(6 * way)))
            seen = np.ascontiguousarray(photo[top : top + HEIGHT, left : left + WIDTH])
            output.mux(pictures.encode(av.VideoFrame.from_ndarray(seen)))
        output.mux(pictures.encode(None))
        tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(seconds * SOUND_RATE) / SOUND_RATE)).astype(np.float32)
        for start in range(0, len(tone), 1024):
            samples = np.stack([tone[start : start + 1024]] * 2)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))


def repeat(source: Path, target: Path, times: int) -> None:
    """The same clip so often, not encoded again."""
    with av.open(str(target), "w") as output:
        streams = []
        for number in range(times):
            with av.open(str(source)) as opened:
                streams = streams or [output.add_stream_from_template(stream, opaque=True) for stream in opened.streams]
                assert opened.duration is not None
                for packet in opened.demux():
                    if packet.pts is None or packet.dts is None:
                        continue
                    # With a gap of a tenth, since the sound begins before the pictures and ends after them.
                    ticks = round(number * Fraction(opened.duration + 100_000, 1_000_000) / packet.time_base)
                    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                    packet.stream = streams[packet.stream_index]
                    output.mux(packet)


def measured(run: Callable[[], int]) -> tuple[int, float, float]:
    """Frames, seconds and seconds of processor time."""
    begun, processor = time.perf_counter(), time.process_time()
    frames = run()
    return frames, time.perf_counter() - begun, time.process_time() - processor


def ours(source: Path, target: Path) -> Callable[[], int]:
    stylizer = workflows.load(STYLE)
    return lambda: sum(1 for _ in workflows.stylize_video(stylizer, source, target))


def plain(source: Path, target: Path, count: int) -> Callable[[], int]:
    network = plain_network().eval()

    def paint(frame: Frame) -> Frame:
        with torch.inference_mode():
            values = network(torch.from_numpy(frame.pixels).permute(2, 0, 1)[None].float())[0]
            return frame.with_pixels(values.clamp(0, 255).round().byte().permute(1, 2, 0).contiguous().numpy())

    def run() -> int:
        with open_video(source) as video, VideoWriter(target) as writer:
            few = (frame for frame, _ in zip(video.frames(), range(count), strict=False))
            for frame in painted(few, lambda frame: writer.prepared(paint(frame))):
                writer.write(frame)
        return count

    return run


def packets(path: Path, kind: str) -> list[tuple[Fraction, Fraction | None, bytes]]:
    """Time, duration and, of sound, content."""
    with av.open(str(path)) as opened:
        stream = next(stream for stream in opened.streams if stream.type == kind)
        return sorted(
            (
                packet.pts * packet.time_base,
                (packet.duration or 0) * packet.time_base,
                bytes(packet) * (kind == "audio"),
            )
            for packet in opened.demux(stream)
            if packet.pts is not None
        )


def resident() -> float:
    """Megabytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def memory(source: Path, target: Path, seconds: int, size: int) -> Iterator[tuple[int, float]]:
    """Megabytes after every tenth of the video."""
    stylizer, tenth = workflows.load(STYLE), seconds * RATE // 10
    for progress in workflows.stylize_video(stylizer, source, target, workflows.VideoOptions(size=size)):
        if progress.frames % tenth == 0:
            yield progress.frames, resident()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--plain-frames", type=int, default=4)
    parser.add_argument("--long", type=int, default=60, help="seconds of the longer clip, 0 for none")
    parser.add_argument("--long-size", type=int, default=WIDTH, help="longer side in pixels of what it becomes")
    arguments = parser.parse_args()
    here = workflows.machine()
    print(f"{here.processor}, {here.cores} cores; {WIDTH}×{HEIGHT}, H.264 with sound to the same, file to file\n")
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "in.mp4", Path(name) / "out.mp4"
        make_clip(source, arguments.seconds)
        print("| network | frames | s | frames/s | processor ms a frame |\n|---|---:|---:|---:|---:|")
        rows = {STYLE: ours(source, target)}
        if arguments.plain_frames:
            rows["plain, eager float32"] = plain(source, Path(name) / "plain.mp4", arguments.plain_frames)
        for title, run in rows.items():
            frames, seconds, processor = measured(run)
            row = f"{frames} | {seconds:.1f} | {frames / seconds:.2f} | {1000 * processor / frames:.0f}"
            print(f"| {title} | {row} |", flush=True)
        for what, kind in (("frames and their times", "video"), ("sound", "audio")):
            same = packets(source, kind) == packets(target, kind)
            print(f"\n{what}: {'the same as in the source' if same else 'NOT the same as in the source'}", end="")
        megabytes = [path.stat().st_size / 1e6 for path in (source, target)]
        print(f"\n\nsource {megabytes[0]:.1f} MB, result {megabytes[1]:.1f} MB")
        if arguments.long:
            times = max(1, arguments.long // arguments.seconds)
            repeat(source, Path(name) / "long.mp4", times)
            print("\n| of the longer clip, frames | memory, MB |\n|---:|---:|")
            for frames, used in memory(
                Path(name) / "long.mp4", Path(name) / "o.mp4", times * arguments.seconds, arguments.long_size
            ):
                print(f"| {frames} | {used:.0f} |", flush=True)


if __name__ == "__main__":
    main()

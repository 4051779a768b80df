"""Films from pictures: GIF files by Pillow, MP4 files by the ffmpeg program if it is installed."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from studies.spec.document import StudyError
from testbed.common.atomic_files import atomic_write

FASTEST = 50
"""Frames per second: a GIF counts in hundredths of a second, and viewers slow down what is faster."""

SMALLEST = 300
"""Pictures whose longer side has fewer pixels are magnified by a whole number."""

CAPTION_PIXELS, TEXT_PIXELS, MARGIN = 24, 14, 8
COLOURS, MANY_COLOURS = 255, 4096  # a GIF's frame has one more, for what stays the same; most that are
# chosen from one by one


def check(file: Path) -> None:
    """Checks whether a film can be written to a file, without writing anything.

    Raises:
        StudyError: the film cannot be written; one line.
    """
    if file.suffix not in (".gif", ".mp4"):
        raise StudyError(f"--out {file}: must end in .gif or .mp4")
    if file.suffix == ".mp4":
        _ffmpeg()
    check_place(file)


def check_place(file: Path) -> None:
    """Raises StudyError if no file of this name can be written; writes nothing."""
    if file.is_dir():
        raise StudyError(f"--out {file}: is a folder")
    place = next(folder for folder in file.absolute().parents if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise StudyError(f"--out {file}: cannot be written: {place} is not a folder that can be written to")


def captioned(picture: NDArray[np.uint8], text: str) -> Image.Image:
    """A picture, magnified if it is very small, over a line of text."""
    height, width = picture.shape[:2]
    factor = -(-SMALLEST // max(height, width))
    image = Image.fromarray(picture)
    if factor > 1:
        image = image.resize((width * factor, height * factor), Image.Resampling.NEAREST)
    # Even sides: the usual encoders of MP4 halve the resolution of colours.
    size = image.width + image.width % 2, image.height + image.height % 2 + CAPTION_PIXELS
    frame = Image.new("RGB", size, "white")
    frame.paste(image)
    middle = (MARGIN, size[1] - CAPTION_PIXELS // 2)
    font = ImageFont.load_default(TEXT_PIXELS)
    ImageDraw.Draw(frame).text(middle, text, fill="black", font=font, anchor="lm")
    return frame


def write(file: Path, frames: Iterable[Image.Image], *, frames_per_second: int) -> None:
    """Writes a film atomically; the same frames give the same bytes.

    Args:
        file: ends in ``.gif`` or ``.mp4``.
        frames: RGB, all of the same, even size.
        frames_per_second: 1 to ``FASTEST``.

    Raises:
        StudyError: it cannot be written, or ffmpeg fails.
    """
    following = iter(frames)
    first = next(following)  # an immediate failure leaves no folder behind
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_format = _write_gif if file.suffix == ".gif" else _write_mp4
        with atomic_write(file) as part:
            write_format(part, first, following, frames_per_second)
    except OSError as error:
        raise StudyError(f"--out {file}: cannot be written: {error.strerror or error}") from error


def _write_gif(
    file: Path, first: Image.Image, following: Iterator[Image.Image], frames_per_second: int
) -> None:
    _indexed(first).save(
        file,
        format="GIF",
        save_all=True,
        append_images=map(_indexed, following),
        duration=round(1000 / frames_per_second),
        loop=0,
        optimize=True,  # stores only the pixels that change
    )


def _indexed(frame: Image.Image) -> Image.Image:
    """The frame in at most 255 colours.

    A drawn picture has few colours that fill areas and many along their edges. The most common colours fill
    half of the palette exactly; each further entry is the colour furthest from all previous ones, so that
    small objects keep their colour. Pictures with too many colours for that use Pillow's median cut.
    """
    pixels = np.asarray(frame).reshape(-1, 3).astype(np.int32)
    packed = pixels[:, 0] << 16 | pixels[:, 1] << 8 | pixels[:, 2]
    found, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    if len(found) > MANY_COLOURS:
        return frame.quantize(COLOURS, dither=Image.Dither.NONE)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    palette = np.argsort(-counts, kind="stable")[: COLOURS // 2].tolist()
    apart = np.stack([_distances(colours, chosen) for chosen in palette])
    nearest, least = apart.argmin(axis=0), apart.min(axis=0)
    while len(palette) < COLOURS and least.any():
        palette.append(int(least.argmax()))
        further = _distances(colours, palette[-1])
        nearest[further < least] = len(palette) - 1
        least = np.minimum(least, further)
    indexed = Image.fromarray(nearest[places].reshape(frame.height, frame.width).astype(np.uint8))
    indexed.putpalette(colours[palette].astype(np.uint8).tobytes())
    return indexed


def _distances(colours: NDArray[np.int32], chosen: int) -> NDArray[np.int32]:
    """Squared distances [n] of colours [n, 3] from one colour."""
    squares: NDArray[np.int32] = np.square(colours - colours[chosen]).sum(axis=1, dtype=np.int32)
    return squares


def _ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        raise StudyError(
            "--out: an .mp4 needs the program ffmpeg, which is not on PATH; a .gif needs no other program"
        )
    return program


def _write_mp4(
    file: Path, first: Image.Image, following: Iterator[Image.Image], frames_per_second: int
) -> None:
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{first.width}x{first.height}"]
    encoded = ["-an", "-pix_fmt", "yuv420p", "-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact"]
    command = [_ffmpeg(), "-loglevel", "error", "-y", *raw, "-r", str(frames_per_second), "-i", "-"]
    command += [*encoded, "-f", "mp4", str(file.absolute())]
    with (
        tempfile.TemporaryFile() as complaints,
        # The program is the user's own ffmpeg, and no shell is between.
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=complaints) as process,  # noqa: S603
    ):
        try:
            whole = _feed(process, itertools.chain([first], following))
        except BaseException:
            process.kill()
            raise
        if process.wait() or not whole:
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").split("\n")
            reason = next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
            raise StudyError(f"--out: ffmpeg failed with exit code {process.returncode}: {reason}")


def _feed(process: subprocess.Popen[bytes], frames: Iterator[Image.Image]) -> bool:
    """Whether the process accepted all frames; if not, its own output has the reason."""
    if process.stdin is None:
        raise TypeError("the process was started without a pipe")
    try:
        with process.stdin as pipe:
            for frame in frames:
                pipe.write(frame.tobytes())
    except BrokenPipeError:
        return False
    return True

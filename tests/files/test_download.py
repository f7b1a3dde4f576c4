"""Downloads against a real server on this computer that misbehaves on request."""

from __future__ import annotations

import hashlib
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.errors import ImpastoError
from impasto.files.download import Progress, Source, difference, fetch, size_text
from web import Web, wait_for

CONTENT = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = (0.01, 0.01, 0.01)


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web(CONTENT)
    yield web
    web.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.bin"


def source(web: Web, **facts: object) -> Source:
    return Source((f"{web.url}/file.bin",), **({"size": len(CONTENT), "sha256": SHA256} | facts))  # type: ignore[arg-type]


def leftovers(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def break_off(web: Web, target: Path, wanted: Source, count: int) -> None:
    """Leaves a part of `count` bytes, as a computer switched off in between does."""
    web.cuts = [count]
    with pytest.raises(ImpastoError, match="broke after"):
        fetch(wanted, target, pauses=())
    assert target.with_name("file.bin.part").stat().st_size == count
    assert not target.exists()


@pytest.mark.parametrize("facts", [{}, {"size": None}, {"size": None, "sha256": ""}])
def test_downloads_whole_file_and_reports(web: Web, target: Path, facts: dict[str, object]) -> None:
    seen: list[Progress] = []
    assert fetch(source(web, **facts), target, seen.append) == target
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == []
    loads = [progress for progress in seen if progress.phase == "download"]
    assert loads[0] == Progress("download", "file.bin", 0, len(CONTENT))
    assert loads[-1] == Progress("download", "file.bin", len(CONTENT), len(CONTENT))
    assert {progress.name for progress in seen} == {"file.bin"}
    assert [progress.done for progress in loads] == sorted(progress.done for progress in loads)


def test_length_that_nobody_knows(web: Web, target: Path) -> None:
    web.with_length = False
    seen: list[Progress] = []
    fetch(source(web, size=None), target, seen.append)
    assert target.read_bytes() == CONTENT
    assert seen[0].total is None


def test_resume_requests_only_the_rest(web: Web, target: Path) -> None:
    break_off(web, target, source(web), 120_000)
    seen: list[Progress] = []
    fetch(source(web), target, seen.append)
    assert target.read_bytes() == CONTENT
    assert (web.asked[1]["range"], web.asked[1]["if-range"]) == ("bytes=120000-", '"one"')
    assert web.sent == [120_000, 180_000]
    assert seen[0].done == 120_000
    assert leftovers(target) == []


def test_server_without_ranges_starts_over(web: Web, target: Path) -> None:
    break_off(web, target, source(web), 120_000)
    web.with_ranges = False
    fetch(source(web), target)
    assert target.read_bytes() == CONTENT
    assert web.sent == [120_000, 300_000]


def test_other_part_than_asked_for_starts_over(web: Web, target: Path) -> None:
    break_off(web, target, source(web), 120_000)
    web.shifts = [10_000]
    fetch(source(web), target, pauses=QUICK)
    assert target.read_bytes() == CONTENT
    assert "range" not in web.asked[2]


def test_changed_file_starts_over(web: Web, target: Path) -> None:
    wanted = source(web, sha256="", size=None)
    break_off(web, target, wanted, 120_000)
    web.content, web.etag = CONTENT[::-1], '"two"'
    fetch(wanted, target)
    assert target.read_bytes() == CONTENT[::-1]


def test_without_version_and_hash_nothing_is_mixed(web: Web, target: Path) -> None:
    wanted, web.etag = source(web, sha256="", size=None), ""
    break_off(web, target, wanted, 120_000)
    web.content = CONTENT[::-1]
    fetch(wanted, target)
    assert "range" not in web.asked[1]
    assert target.read_bytes() == CONTENT[::-1]


def test_other_address_goes_on_with_the_part(web: Web, target: Path) -> None:
    """A mirror names versions in its own way; the hash decides."""
    break_off(web, target, source(web), 120_000)
    web.etag = '"mirror"'
    fetch(source(web).moved_to(f"{web.url}/mirror/"), target)
    assert web.asked[1]["path"] == "/mirror/file.bin"
    assert "if-range" not in web.asked[1]
    assert web.sent == [120_000, 180_000]
    assert target.read_bytes() == CONTENT


def test_complete_part_of_unknown_size(web: Web, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(CONTENT)
    fetch(source(web, size=None), target)
    assert target.read_bytes() == CONTENT
    assert web.sent == []  # answered with 416: there is nothing left


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_part_longer_than_the_file(web: Web, target: Path, size: int | None) -> None:
    target.parent.mkdir()
    target.with_name("file.bin.part").write_bytes(CONTENT + b"too much")
    fetch(source(web, size=size), target, pauses=QUICK)
    assert target.read_bytes() == CONTENT


def test_lost_connections_are_taken_up_again(web: Web, target: Path) -> None:
    web.cuts = [50_000] * 5  # more than there are pauses: each time something came
    fetch(source(web), target, pauses=QUICK)
    assert target.read_bytes() == CONTENT
    assert [asked.get("range") for asked in web.asked] == [
        None,
        *(f"bytes={50_000 * count}-" for count in range(1, 6)),
    ]
    assert sum(web.sent) == len(CONTENT)


def test_silent_server_times_out_and_is_asked_again(web: Web, target: Path) -> None:
    web.cuts, web.stall = [50_000], 3.0
    started = time.monotonic()
    fetch(source(web), target, pauses=QUICK, timeout=0.3)
    assert time.monotonic() - started < 2.5
    assert target.read_bytes() == CONTENT


def test_busy_server_is_asked_again(web: Web, target: Path) -> None:
    web.statuses = [503]
    fetch(source(web), target, pauses=QUICK)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"sha256": "0" * 64}, "SHA256"),
        ({"sha256": "88682ab5"}, "instead of 88682ab5"),
        ({"sha256": "", "md5": "0" * 32}, "MD5"),
    ],
)
def test_wrong_hash_is_refused(web: Web, target: Path, facts: dict[str, object], named: str) -> None:
    target.parent.mkdir()
    target.write_bytes(b"the old file")
    with pytest.raises(ImpastoError, match=named) as caught:
        fetch(source(web, **facts), target)
    assert "was removed" in str(caught.value)
    assert target.read_bytes() == b"the old file"
    assert leftovers(target) == []


def test_wrong_size_is_refused_before_the_bytes_come(web: Web, target: Path) -> None:
    with pytest.raises(ImpastoError, match="300,000 bytes instead of 13,510,573"):
        fetch(source(web, size=13_510_573), target)
    assert not target.exists()


def test_endless_answer_is_cut_off(web: Web, target: Path) -> None:
    web.with_length = False
    with pytest.raises(ImpastoError, match="instead of 1,000"):
        fetch(source(web, size=1000), target)
    assert leftovers(target) == []


def test_next_address_when_one_fails(web: Web, target: Path) -> None:
    web.statuses = [404]
    wanted = Source((f"{web.url}/gone/file.bin", f"{web.url}/file.bin"), sha256=SHA256)
    fetch(wanted, target)
    assert [asked["path"] for asked in web.asked] == ["/gone/file.bin", "/file.bin"]
    assert target.read_bytes() == CONTENT


def test_not_found_says_what_where_and_what_to_do(web: Web, target: Path) -> None:
    web.statuses = [404]
    with pytest.raises(ImpastoError, match="HTTP 404") as caught:
        fetch(source(web), target, pauses=QUICK)
    assert len(web.asked) == 1
    assert all(part in str(caught.value) for part in (f"{web.url}/file.bin", "300.0 kB", str(target)))


def test_offline_says_what_where_and_what_to_do(target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/vgg.h5"
        with pytest.raises(ImpastoError) as caught:
            fetch(Source((url,), size=58_889_256), target, pauses=(0.01, 9.0, 9.0))
    message = str(caught.value)
    assert all(part in message for part in (url, "58.9 MB", str(target), "refused", "offline"))
    assert "\n" not in message


def test_right_file_is_left_alone(web: Web, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    fetch(source(web), target)
    assert web.asked == []


def test_no_room_is_said_before_anything_is_asked(web: Web, target: Path) -> None:
    with pytest.raises(ImpastoError, match="not enough room"):
        fetch(source(web, size=10**18), target)
    assert web.asked == []


def test_folder_that_cannot_be(web: Web, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ImpastoError, match="cannot write"):
        fetch(source(web), tmp_path / "taken" / "file.bin")


def test_mirror_must_be_an_address(web: Web) -> None:
    assert source(web).moved_to("") == source(web)
    with pytest.raises(ImpastoError, match="http"):
        source(web).moved_to("file:///etc")


def test_difference_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2's example.
    right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert difference(tmp_path / "a", Source(("http://x/a",), sha256=right)) == ""
    assert difference(tmp_path / "a", Source(("http://x/a",), sha256=right[:8].upper())) == ""
    assert "3 bytes instead of 4" in difference(tmp_path / "a", Source(("http://x/a",), size=4))
    assert [size_text(count) for count in (12, 58_889_256, 13_510_573_713)] == ["12 bytes", "58.9 MB", "13.5 GB"]


def start_fetch(web: Web, target: Path) -> subprocess.Popen[str]:
    code = (
        "import sys; from pathlib import Path; from impasto.files.download import Source, fetch\n"
        "fetch(Source((sys.argv[1],), sha256=sys.argv[2]), Path(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, f"{web.url}/file.bin", SHA256, str(target)]
    # A test run in the background ignores Ctrl-C, and its children would inherit that.
    return subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_process_leaves_a_part_to_go_on_from(web: Web, target: Path, how: signal.Signals) -> None:
    web.pause = 0.05
    process, part = start_fetch(web, target), target.with_name("file.bin.part")
    wait_for(lambda: part.exists() and part.stat().st_size >= 50_000)
    process.send_signal(how)
    process.communicate(timeout=10)
    assert process.returncode != 0
    have, web.pause = part.stat().st_size, 0.0
    assert 50_000 <= have < len(CONTENT)
    fetch(source(web), target)
    assert target.read_bytes() == CONTENT
    assert web.asked[1]["range"] == f"bytes={have}-"
    assert leftovers(target) == []


def test_two_processes_share_one_download(web: Web, target: Path) -> None:
    web.pause = 0.02
    processes = [start_fetch(web, target) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
    assert target.read_bytes() == CONTENT
    assert web.sent == [len(CONTENT)]
    assert leftovers(target) == []

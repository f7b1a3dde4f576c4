"""Every command that the documents and the job files show is one that the command line knows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from cyclopts import CycloptsError

from impasto.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "deploy").iterdir())]
KNOWN = "train|stylize|styles|video|webcam|studio|evaluate|optimize|export|bench|doctor|inspect|data|weights|demo"
BEFORE = r"(?:^|[;&] |exec |`)(?:[A-Z_]+=\S+ )*(?:docker run .*?)?"
COMMAND = re.compile(rf"{BEFORE}(impasto(?::cuda)? (?:{KNOWN})[^`'\n#;]*)")


def commands(path: Path) -> list[str]:
    text = path.read_text("utf-8").replace("\\\n", " ")
    lines = [line.removeprefix("#").strip() for line in text.splitlines()]
    return [match.group(1).strip() for line in lines for match in COMMAND.finditer(line)]


def test_there_are_commands_to_check() -> None:
    assert sum(len(commands(path)) for path in DOCUMENTS) > 40


def test_a_wrong_command_would_be_noticed() -> None:
    with pytest.raises(CycloptsError):
        app.parse_args(["train", "painting.jpg", "--nonsense", "1"], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documented_commands_are_understood(path: Path) -> None:
    for command in commands(path):
        words = [word for word in shlex.split(command.replace("$@", "painting.jpg")) if word not in ("…", "&&")]
        try:
            app.parse_args(words[1:], exit_on_error=False, print_error=False)
        except CycloptsError as error:
            pytest.fail(f"{path.name}: {command}: {error}")


def test_the_job_files_are_whole() -> None:
    service, job = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    told = {item["name"] for item in container["env"]}
    assert told == {"MASTER_ADDR", "MASTER_PORT", "NODE_RANK"}
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    assert "--nodes 2" in container["args"][0]
    for script in (ROOT / "deploy" / "slurm.sh", ROOT / "scripts" / "two_nodes.sh"):
        assert script.stat().st_mode & 0o111

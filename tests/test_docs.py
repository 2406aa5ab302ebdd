"""What users read must name everything that exists."""

import re

from typer.main import get_command

from classifier.cli.main import app
from classifier.errors import MESSAGES
from classifier.report import RESULT_COLUMNS
from classifier.tables import SUFFIXES_IN, SUFFIXES_OUT
from classifier.taxonomy import TAXONOMY
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_option_of_every_command_is_in_the_readme():
    commands = get_command(app).commands
    commands |= {
        f"{name} {inner}": command for name, group in commands.items() for inner, command in getattr(group, "commands", {}).items()
    }
    for name, command in commands.items():
        assert f"jianke {name}" in README
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--help":
                    assert f"`{option}`" in README or f"{option} " in README, (name, option)


def test_every_error_label_and_column_is_documented():
    assert [code for code in MESSAGES if code not in README] == []
    groups = (TAXONOMY.categories, TAXONOMY.subjects, TAXONOMY.stages, TAXONOMY.disguises, TAXONOMY.signals, TAXONOMY.reasons)
    missing = [label.id for group in groups for label in group.values() if f"`{label.id}`" not in README]
    assert missing == []
    assert [column for column in RESULT_COLUMNS if column not in README] == []
    assert all(suffix in README for suffix in (*SUFFIXES_IN, *SUFFIXES_OUT))


def test_the_first_screen_has_the_two_commands():
    head = "\n".join(README.splitlines()[:45])
    assert "make demo" in head and "make test" in head and "pip install" in head


def test_links_lead_somewhere():
    for document in (ROOT / "README.md", ROOT / "data" / "README.md", ROOT / "models" / "README.md", ROOT / "benchmarks" / "README.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), (document.name, target)


def test_the_changelog_has_the_current_version():
    from classifier import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

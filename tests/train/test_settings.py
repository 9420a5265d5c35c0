"""Settings of a run: a typing mistake costs one line, not a night."""

from pathlib import Path

import pytest
from yochi_runtime.errors import UsageError
from yochi_train.rlaif.settings import RlaifSettings
from yochi_train.settings import SftSettings
from yochi_train.settings import read_settings as read_any

NEEDED = 'records = "records"\nphotos = "photos"\nfeatures = "/cache/features"\n'


def read_settings(path: Path) -> SftSettings:
    return read_any(path, SftSettings)


def written(folder: Path, text: str) -> Path:
    file = folder / "run.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_paths_are_relative_to_the_settings_file(tmp_path: Path) -> None:
    settings = read_settings(written(tmp_path, NEEDED + "steps = 3\n"))
    assert settings.records == tmp_path / "records"
    assert settings.features == Path("/cache/features")
    assert settings.steps == 3
    assert settings.seed == SftSettings.model_fields["seed"].default


@pytest.mark.parametrize(("key", "near"), [("step", "steps"), ("lora_rnk", "lora_rank"), ("photo", "photos")])
def test_an_unknown_key_names_the_nearest(tmp_path: Path, key: str, near: str) -> None:
    with pytest.raises(UsageError, match=rf"unknown key '{key}'; did you mean '{near}'\?"):
        read_settings(written(tmp_path, f"{NEEDED}{key} = 1\n"))


def test_a_key_like_no_other_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown key 'zzz'; known are: .*steps"):
        read_settings(written(tmp_path, NEEDED + "zzz = 1\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NEEDED + "steps = 0\n", "steps: "),
        (NEEDED + 'lora_rate = "fast"\n', "lora_rate: "),
        ('records = "records"\n', "photos: Field required"),
        ("steps = = 3\n", "expected TOML, got: "),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings(written(tmp_path, text))
    assert f"run.toml: {said}" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a settings file \(TOML\) at .*none\.toml, found none"):
        read_settings(tmp_path / "none.toml")


def test_rlaif_needs_a_start_and_knows_its_own_keys(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"run\.toml: start: Field required"):
        read_any(written(tmp_path, NEEDED), RlaifSettings)
    with pytest.raises(UsageError, match=r"unknown key 'promts'; did you mean 'prompts'\?"):
        read_any(written(tmp_path, f"{NEEDED}promts = 8\n"), RlaifSettings)
    settings = read_any(written(tmp_path, NEEDED + 'start = "sft"\ncritic = "truth"\n'), RlaifSettings)
    assert settings.start == tmp_path / "sft"
    assert settings.critic == "truth"

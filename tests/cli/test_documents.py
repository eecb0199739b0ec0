"""Data that is one document is refused as csv before anything is done, with the exit code of a usage error."""

import pytest

from controlplane.cli.app import app
from controlplane.errors import ExitCode, KasumiError

_ONE_DOCUMENT = (
    ("apply", "plan.json"),
    ("adopt", "hv1"),
    ("configure",),
    ("status",),
    ("reconcile", "--once"),
    ("inventory", "show", "hv1"),
)


@pytest.mark.parametrize("verb", _ONE_DOCUMENT, ids=" ".join)
def test_one_document_is_no_csv(verb, tmp_path, monkeypatch):
    monkeypatch.setenv("KASUMI_HOME", str(tmp_path / "home"))
    with pytest.raises(KasumiError, match=r"no output as csv.*wanted (table, )?json or yaml") as refused:
        app([*verb, "-o", "csv"], standalone_mode=False)
    assert refused.value.exit_code == ExitCode.USAGE
    assert not (tmp_path / "home").exists()

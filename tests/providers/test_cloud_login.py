"""A way in that cannot be: each mistake in clouds.yaml and secure.yaml is named with its place, and no secret of it is told."""

from types import SimpleNamespace

import pytest
from keystoneauth1.exceptions import ConnectFailure
from requests import Response

from controlplane.errors import ExitCode, KasumiError
from controlplane.model.cloud import cloud_pool
from controlplane.providers.openstack_cloud import Cloud

SECRET = "geheim-4711"
_ENTRY = "clouds:\n  west:\n    auth_type: password\n"
_AUTH = (
    '    auth: {{auth_url: "{url}", username: u, password: {secret}, project_name: p, user_domain_id: d, project_domain_id: d}}\n'
)


def refused(tmp_path, monkeypatch, text, *, secure=None):
    """What is said when a cloud of these files is used first."""
    for variable, name, content in (
        ("OS_CLIENT_CONFIG_FILE", "clouds.yaml", text),
        ("OS_CLIENT_SECURE_FILE", "secure.yaml", secure),
    ):
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.setenv(variable, str(file))
    cloud = Cloud(cloud_pool("openstack://west"))
    with pytest.raises(KasumiError) as caught, cloud.errors("host one"):
        cloud.get("compute", "/limits")
    assert str(caught.value).startswith("host one on openstack://west: ")
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"clouds:\n  west:\n    auth_type: password\n   auth: {{password: {SECRET}}}\n", r"clouds.yaml:4:4: is no YAML: "),
        (b"\xff\xfeclouds", r"clouds.yaml: wanted UTF-8"),
        ("", r"clouds.yaml: wanted `clouds:` with a mapping"),
        ("- west\n", r"clouds.yaml: wanted `clouds:` with a mapping"),
        ("clouds:\n  - west\n", r"clouds.yaml: wanted `clouds:` with a mapping"),
        ("clouds:\n  wset: {}\n  east: {}\n", r"clouds.yaml has no cloud west, but east, wset;"),
        ("clouds:\n  west:\n", r"clouds.yaml: cloud west: wanted a mapping"),
        (f"{_ENTRY}    auth: {SECRET}\n", r"clouds.yaml: cloud west: auth: wanted a mapping"),
        (f"{_ENTRY}    auth: {{auth_ulr: x, password: {SECRET}}}\n", r"not given: auth_url"),
        (_ENTRY.replace("password", "passwort"), r"plugin passwort could not be found"),
        (None, r"OS_CLIENT_CONFIG_FILE says .*clouds.yaml, which is not there"),
        (
            f"{_ENTRY}    api_timeout: soon\n" + _AUTH.format(url="http://127.0.0.1:1/v3", secret=SECRET),
            r"wanted seconds as api_timeout, found 'soon'",
        ),
    ],
)
def test_the_place_is_named(tmp_path, monkeypatch, text, said):
    error = refused(tmp_path, monkeypatch, text)
    assert error.exit_code == ExitCode.FAILED
    assert str(error).endswith("or where OS_CLIENT_CONFIG_FILE and OS_CLIENT_SECURE_FILE say")
    with pytest.raises(KasumiError, match=said):
        raise error


@pytest.mark.parametrize(
    ("secure", "said"),
    [
        (None, "You must provide an auth secret"),
        (f"clouds:\n  west:\n    auth:\n   application_credential_secret: {SECRET}\n", "secure.yaml:4:4: is no YAML"),
        (f"clouds: [{SECRET}]\n", "secure.yaml: wanted `clouds:` with a mapping"),
    ],
)
def test_a_secret_that_is_not_there_is_no_silence_of_the_cloud(tmp_path, monkeypatch, secure, said):
    text = (
        "clouds:\n  west:\n    auth_type: v3applicationcredential\n"
        '    auth: {auth_url: "http://127.0.0.1:1/v3", application_credential_id: a}\n'
    )
    error = refused(tmp_path, monkeypatch, text, secure=secure)
    assert error.exit_code == ExitCode.FAILED
    assert said in str(error)


def test_a_certificate_that_is_not_there(tmp_path, monkeypatch):
    text = f"{_ENTRY}    cacert: /nowhere.pem\n" + _AUTH.format(url="https://127.0.0.1:1/v3", secret=SECRET)
    error = refused(tmp_path, monkeypatch, text)
    assert "/nowhere.pem; see cacert, cert and key of cloud west in clouds.yaml" in str(error)


def test_an_address_without_its_scheme(tmp_path, monkeypatch):
    error = refused(tmp_path, monkeypatch, _ENTRY + _AUTH.format(url="keystone.example/v3", secret=SECRET))
    assert error.exit_code == ExitCode.FAILED
    assert "see auth_url, region_name and interface of cloud west" in str(error)


def test_a_service_that_does_not_run_is_not_reached(tmp_path, monkeypatch):
    error = refused(tmp_path, monkeypatch, _ENTRY + _AUTH.format(url="http://127.0.0.1:1/v3", secret=SECRET))
    assert error.exit_code == ExitCode.UNREACHABLE
    address = "http://127.0.0.1:1/v3/auth/tokens"
    assert f"no answer (Unable to establish connection to {address}: Connection refused); see that the service runs" in str(error)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (ConnectFailure("Connection refused"), ExitCode.UNREACHABLE, "no answer (Connection refused)"),
        (503, ExitCode.UNREACHABLE, "the service is there but does not work"),
        (200, ExitCode.REFUSED, "it is older than Pike"),
    ],
)
def test_a_nova_that_does_not_run_is_not_called_old(answer, code, said):
    def request(*_, **__):
        if isinstance(answer, Exception):
            raise answer
        response = Response()
        response.status_code = answer
        return response

    nova = SimpleNamespace(get_endpoint_data=lambda: SimpleNamespace(max_microversion=None), request=request)
    cloud = Cloud(cloud_pool("openstack://west"))
    cloud._connection = SimpleNamespace(compute=nova)
    with pytest.raises(KasumiError) as caught, cloud.errors("host one"):
        cloud.get("compute", "/limits")
    assert caught.value.exit_code == code
    assert said in str(caught.value)

"""A migrated disk on this controller, and an upload whose line breaks: a small server stands in for Glance."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest
from keystoneauth1.adapter import Adapter
from keystoneauth1.noauth import NoAuth

from controlplane.errors import KasumiError, RefusedError, UnreachableError
from controlplane.model.cloud import cloud_pool
from controlplane.providers.openstack_cloud import Cloud
from controlplane.providers.openstack_copy import copy_file, ensure_copy, ensure_file, unbooted_copy
from controlplane.providers.openstack_image import CHUNK_BYTES
from controlplane.providers.openstack_login import patient_session
from controlplane.providers.openstack_volume import refuse_other_content
from controlplane.providers.protocol import MachineRef

REF = MachineRef(estate="lab", machine="web1", uuid="11111111-1111-1111-1111-111111111111")
SIZE = 4 * CHUNK_BYTES


class Glance(BaseHTTPRequestHandler):
    """One image, kept whole or not at all; `cuts` uploads are cut after a megabyte, `spoils` turns a byte of what is kept."""

    images: dict
    content: dict
    cuts: list
    spoils: list
    uploads: list

    def do_GET(self):
        if self.path.endswith("/file"):
            return self._answer(200, self.content[self.path.split("/")[2]], breaks_off=bool(self.cuts and self.cuts.pop()))
        if self.path.startswith("/images?"):
            return self._json({"images": list(self.images.values())})
        return self._json(self.images[self.path.split("/")[2]])

    def do_POST(self):
        body = self._read_json()
        image = body | {"id": f"i{len(self.uploads)}{len(self.images)}", "status": "queued"}
        self.images[image["id"]] = image
        self._json(image)

    def do_PUT(self):
        image, received = self.images[self.path.split("/")[2]], b""
        while size := int(self.rfile.readline(), 16):
            received += self.rfile.read(size)
            self.rfile.readline()
            if self.cuts:
                self.cuts.pop()
                self.uploads.append(len(received))
                self.close_connection = True
                self.connection.close()
                return
        self.rfile.readline()
        self.uploads.append(len(received))
        kept = bytearray(received)
        if self.spoils:
            kept[self.spoils.pop()] ^= 1
        self.content[image["id"]] = bytes(kept)
        image |= {"status": "active", "os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(kept).hexdigest()}
        self._answer(204, b"")

    def do_PATCH(self):
        image = self.images[self.path.split("/")[2]]
        for change in self._read_json():
            image[change["path"].strip("/")] = change["value"]
        self._json(image)

    def do_DELETE(self):
        self.images.pop(self.path.split("/")[2])
        self._answer(204, b"")

    def _read_json(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _json(self, document):
        self._answer(200, json.dumps(document).encode(), "application/json")

    def _answer(self, status, body, kind="application/octet-stream", *, breaks_off=False):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if breaks_off else body)

    def log_message(self, *_):
        pass


class Line(Cloud):
    """A cloud of which there is Glance alone."""

    def __init__(self, url):
        super().__init__(cloud_pool("openstack://standing-in"))
        self.session = patient_session(auth=NoAuth())
        image = Adapter(self.session, endpoint_override=url, connect_retries=1)
        self._connection = SimpleNamespace(image=image, current_project_id="ours")


@pytest.fixture
def glance():
    handler = type("Handler", (Glance,), {"images": {}, "content": {}, "cuts": [], "spoils": [], "uploads": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    cloud = Line(f"http://127.0.0.1:{server.server_port}")
    yield handler, cloud
    cloud.session.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gathered(tmp_path):
    path = ensure_file(tmp_path, REF, size_bytes=SIZE)
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    return tmp_path, hashlib.sha256(path.read_bytes()).hexdigest()


def take(cloud, gathered):
    folder, sha256 = gathered
    said = []
    try:
        with cloud.errors("copy of web1"):
            return ensure_copy(cloud, folder, REF, sha256=sha256, size_bytes=SIZE, told=said.append)
    finally:
        assert all(line.startswith("migrate web1: ") for line in said)


def test_the_file_is_sparse_ours_alone_kept_and_of_one_size(tmp_path):
    path = ensure_file(tmp_path / "copies", REF, size_bytes=2**40)
    assert (path.stat().st_size, path.stat().st_blocks) == (2**40, 0)
    assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0
    with path.open("r+b") as file:
        file.write(b"data")
    ensure_file(tmp_path / "copies", REF, size_bytes=2**40)
    with path.open("rb") as file:
        assert file.read(4) == b"data"
    with pytest.raises(KasumiError, match=r"wanted 512 bytes, found 1099511627776; it is of another disk: remove it by hand"):
        ensure_file(tmp_path / "copies", REF, size_bytes=512)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    copy_file(tmp_path, REF).mkdir()
    with pytest.raises(KasumiError, match=r"\.raw: Is a directory; see that the folder is ours and has room"):
        ensure_file(tmp_path, REF, size_bytes=512)


def test_what_glance_holds_is_read_back_and_the_file_goes_only_then(glance, gathered):
    handler, cloud = glance
    image = take(cloud, gathered)
    assert handler.uploads == [SIZE]
    assert (handler.images[image]["kasumi_copy_of"], handler.images[image]["kasumi_copy_sha256"]) == (REF.uuid, gathered[1])
    assert handler.images[image]["kasumi_verified"] == handler.images[image]["os_hash_value"]
    assert list(gathered[0].iterdir()) == []
    assert take(cloud, gathered) == image
    assert handler.uploads == [SIZE]


def test_an_upload_whose_line_broke_goes_on_nowhere_but_at_the_first_byte(glance, gathered):
    handler, cloud = glance
    handler.cuts.append("once")
    with pytest.raises(UnreachableError, match="no answer"):
        take(cloud, gathered)
    assert len(handler.uploads) == 1
    assert [image["status"] for image in handler.images.values()] == ["queued"]
    assert copy_file(gathered[0], REF).stat().st_size == SIZE
    take(cloud, gathered)
    assert handler.uploads[1:] == [SIZE]
    assert [image["status"] for image in handler.images.values()] == ["active"]


def test_an_image_that_glance_still_believes_in_is_made_anew(glance, gathered):
    handler, cloud = glance
    handler.images["stuck"] = {"id": "stuck", "status": "saving", "kasumi_copy_of": REF.uuid}
    image = take(cloud, gathered)
    assert list(handler.images) == [image] != ["stuck"]


def test_a_byte_that_changed_on_its_way_is_found_and_the_file_kept(glance, gathered):
    handler, cloud = glance
    handler.spoils.append(SIZE - 1)
    with pytest.raises(
        KasumiError, match=f"copy of web1: wanted SHA-256 {gathered[1]}, found .* after upload; nothing was booted"
    ):
        take(cloud, gathered)
    assert handler.images == {}
    take(cloud, gathered)
    assert handler.uploads == [SIZE, SIZE]


@pytest.mark.parametrize(
    "said", [{}, {"os_hash_algo": None, "os_hash_value": None}, {"os_hash_algo": "later", "os_hash_value": "1"}]
)
def test_a_glance_whose_hash_cannot_be_checked_is_told_and_the_file_kept(glance, gathered, said):
    handler, cloud = glance
    claims = {"kasumi_copy_of": REF.uuid, "kasumi_copy_sha256": gathered[1]}
    handler.images["old"] = {"id": "old", "status": "active"} | claims | said
    handler.content["old"] = copy_file(gathered[0], REF).read_bytes()
    with pytest.raises(KasumiError, match=r"Glance tells no hash that can be checked of image old, found .*; nothing is booted"):
        take(cloud, gathered)
    assert copy_file(gathered[0], REF).exists()


def test_what_breaks_off_while_it_is_read_back_is_read_again_and_not_uploaded_again(glance, gathered):
    handler, cloud = glance
    image = take(cloud, gathered)
    del handler.images[image]["kasumi_verified"]
    ensure_file(gathered[0], REF, size_bytes=SIZE)
    handler.cuts.append("once")
    with pytest.raises(UnreachableError, match="its line broke while it was read back"):
        take(cloud, gathered)
    assert take(cloud, gathered) == image
    assert handler.uploads == [SIZE]


def test_a_copy_that_is_nowhere_is_told(glance, gathered):
    copy_file(gathered[0], REF).unlink()
    with pytest.raises(KasumiError, match=r"its copy is neither at Glance nor at .*\.raw; `kasumi migrate rollback`"):
        take(glance[1], gathered)


def test_of_two_proven_copies_with_different_content_none_is_booted(glance, gathered):
    handler, cloud = glance
    image = take(cloud, gathered)
    assert unbooted_copy(cloud, REF) == image
    handler.images["same"] = handler.images[image] | {"id": "same"}
    assert unbooted_copy(cloud, REF) == image
    handler.images["old"] = handler.images[image] | {"id": "old", "kasumi_copy_sha256": "0" * 64}
    with pytest.raises(RefusedError, match=r"wanted one proven copy of its disk, found different ones: .*old of SHA-256 0000"):
        unbooted_copy(cloud, REF)


def test_a_volume_that_holds_another_image_does_not_pass_for_the_copy():
    cloud = SimpleNamespace(pool=SimpleNamespace(uri="openstack://west/az1"))
    for said in ({}, {"volume_image_metadata": {"image_id": "i1"}}):
        refuse_other_content(cloud, REF, {"id": "v1"} | said, "i1")
    with pytest.raises(RefusedError, match="volume v1: wanted one made of image i1, found it made of i0, so with other data"):
        refuse_other_content(cloud, REF, {"id": "v1", "volume_image_metadata": {"image_id": "i0"}}, "i1")

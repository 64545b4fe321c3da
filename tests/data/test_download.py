"""The real download code against a real server, well-behaved and not."""

import errno
import gzip
import hashlib
import io
import pickle
import socket
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from unskew.data.cache import cache_folder, clear_cached, list_cached
from unskew.data.randomness import stream
from unskew.data.sources import cifar10, open_data, tars
from unskew.errors import UserError

ROWS = 20


def cifar_archive(kind: str) -> bytes:
    """An archive laid out as the official one, with few images; its pickles as Python 2 wrote."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for index, name in enumerate([*cifar10.BATCHES, "test_batch"]):
            pixels = stream(index, "pixels").integers(0, 256, (ROWS, 3072)).astype(np.uint8)
            labels = [k % 10 for k in range(ROWS)]
            if kind == "python":
                content = {b"data": pixels, b"labels": labels, b"batch_label": name.encode()}
                data, path = pickle.dumps(content, protocol=2), f"cifar-10-batches-py/{name}"
            else:
                rows = np.column_stack([np.array(labels, dtype=np.uint8), pixels])
                data, path = rows.tobytes(), f"cifar-10-batches-bin/{name}.bin"
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Serves `server.content`, with ranges; cuts the first `server.cuts` answers off."""

    def do_GET(self):
        content, start = self.server.content, 0
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if wanted and self.server.resumes:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if self.server.cuts:
            self.server.cuts -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.ranges, server.cuts, server.resumes = (
        cifar_archive("python"),
        [],
        0,
        True,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("UNSKEW_CIFAR10_URL", f"http://127.0.0.1:{server.server_port}/c.tar.gz")
    monkeypatch.setenv("UNSKEW_CIFAR10_MD5", hashlib.md5(server.content).hexdigest())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield server
    server.shutdown()
    server.server_close()


def test_downloaded_once_then_from_the_cache(server):
    told = []
    splits = open_data("cifar10", progress=lambda *args: told.append(args))
    assert splits.name == "CIFAR-10"
    assert (len(splits.train), len(splits.test)) == (5 * ROWS, ROWS)
    first = stream(0, "pixels").integers(0, 256, (ROWS, 3072)).astype(np.uint8)[0]
    assert (splits.train.images[0] == first.reshape(3, 32, 32).transpose(1, 2, 0)).all()
    assert told[0][0].startswith("downloading")
    assert told[0][2] == len(server.content)
    open_data("cifar10")
    assert len(server.ranges) == 1
    assert {item.origin for item in list_cached()} >= {"download"}
    assert clear_cached()
    assert not list_cached()


@pytest.mark.parametrize("resumes", [True, False])
def test_a_cut_off_download_goes_on_where_it_was(server, resumes):
    server.cuts, server.resumes = 1, resumes
    with pytest.raises(UserError, match=r"cannot download .*ended after"):
        open_data("cifar10")
    assert len(open_data("cifar10").train) == 5 * ROWS
    assert server.ranges[0] is None
    assert server.ranges[1] == f"bytes={len(server.content) // 2}-"


@pytest.mark.parametrize("cut", [False, True])
def test_what_a_login_page_answers_does_not_replace_what_was_fetched(server, cut):
    """Such networks answer every request with a page of their own, and say that all is well."""
    whole, server.cuts = server.content, 1
    with pytest.raises(UserError, match="ended after"):
        open_data("cifar10")
    server.content, server.resumes, server.cuts = b"<html>please log in</html>", False, int(cut)
    with pytest.raises(UserError, match="ended after" if cut else "checksum"):
        open_data("cifar10")
    (part,) = (cache_folder() / "downloads").glob("*.part*")
    assert part.read_bytes() == whole[: len(whole) // 2]
    server.content, server.resumes = whole, True
    assert len(open_data("cifar10").train) == 5 * ROWS
    assert server.ranges[-1] == f"bytes={len(whole) // 2}-"
    assert not list((cache_folder() / "downloads").glob("*.part*"))


def test_a_full_disk_is_said_to_be_one(server, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("unskew.data.download._fetch", full)
    with pytest.raises(UserError, match=r"downloads: the disk is full; make room there"):
        open_data("cifar10")


def test_a_wrong_checksum_is_refused_and_not_kept(server):
    server.content = server.content[:-4] + b"oops"
    with pytest.raises(UserError, match="checksum"):
        open_data("cifar10")
    assert not list((cache_folder() / "downloads").glob("*.gz"))
    assert not list((cache_folder() / "downloads").glob("*.part"))


def test_an_unreachable_host_says_what_to_fetch_and_where_to_put_it(server, monkeypatch):
    monkeypatch.setenv("UNSKEW_CIFAR10_URL", "http://127.0.0.1:1/c.tar.gz")
    with pytest.raises(UserError) as error:
        open_data("cifar10")
    text = str(error.value)
    for part in ("cifar-10-python.tar.gz", str(cache_folder() / "downloads"), "--data digits"):
        assert part in text


@pytest.mark.parametrize("kind", ["python", "binary"])
@pytest.mark.parametrize("unpacked", [True, False])
def test_found_where_people_have_it(server, tmp_path, kind, unpacked):
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / f"cifar-10-{kind}.tar.gz"
    path.write_bytes(cifar_archive(kind))
    if unpacked:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        path.unlink()
    splits = open_data("cifar10")
    assert not server.ranges
    assert len(splits.train) == 5 * ROWS
    named = open_data(str(next(folder.iterdir())))
    assert named.fingerprint == splits.fingerprint


@pytest.mark.parametrize("kind", ["python", "binary"])
def test_a_truncated_official_archive(server, tmp_path, kind):
    path = tmp_path / f"cifar-10-{kind}.tar.gz"
    data = cifar_archive(kind)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="truncated or damaged"):
        open_data(str(path))


@pytest.mark.parametrize("packed", [True, False])
def test_a_batch_larger_than_any_is_not_read(server, tmp_path, packed, monkeypatch):
    """As other archives' members: a few bytes of gzip may be gigabytes."""
    for module in (cifar10, tars):
        monkeypatch.setattr(module, "MAX_FILE", 1000)
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(cifar_archive("python"))
    if not packed:
        with tarfile.open(path) as archive:
            archive.extractall(tmp_path, filter="data")
        path.unlink()
        path = tmp_path / "cifar-10-batches-py"
    with pytest.raises(UserError, match=r"/data_batch_1 is larger than .*, so it is no batch"):
        open_data(str(path))


def test_a_header_without_end_is_damage(server, tmp_path):
    """tarfile would read to memory whatever a long name is said to be long."""
    entry = tarfile.TarInfo("name")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 2**40
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(gzip.compress(entry.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)))
    with pytest.raises(UserError, match=r"truncated or damaged \(a header that says it is of"):
        open_data(str(path))


class Exploit:
    def __reduce__(self):
        return (exec, ("open('pwned', 'w').close()",))


@pytest.mark.parametrize(
    "content", [Exploit(), {b"data": Exploit()}, [1], {b"data": np.array([{}], dtype=object)}, {}]
)
def test_a_hostile_pickle_runs_nothing(server, tmp_path, content):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in [*cifar10.BATCHES, "test_batch"]:
        (folder / name).write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="fetch the archive again"):
        open_data(str(folder))
    assert not (tmp_path / "pwned").exists()


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("UNSKEW_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"file/downloads .*: set UNSKEW_CACHE to another folder"):
        open_data("cifar10")


def test_a_host_that_answers_rubbish_is_told(monkeypatch, server):
    """Whatever sends no HTTP: a proxy that wants a login, another service."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.sendall(b"what?\r\n\r\n")
        connection.close()

    threading.Thread(target=answer, daemon=True).start()
    monkeypatch.setenv("UNSKEW_CIFAR10_URL", f"http://127.0.0.1:{listener.getsockname()[1]}/c")
    with pytest.raises(UserError, match=r"cannot download .*put it into"):
        open_data("cifar10")
    listener.close()


@pytest.mark.parametrize("left", [[], ["data_batch_1"], [*cifar10.BATCHES]])
def test_a_folder_half_unpacked_does_not_stand_in_the_way(server, tmp_path, left):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in left:
        (folder / name).write_bytes(b"")
    assert len(open_data("cifar10").train) == 5 * ROWS
    assert server.ranges == [None]


def test_a_home_that_cannot_be_searched_does_not_stand_in_the_way(server, monkeypatch):
    """Its name is too long here; one that may not be entered is an error of the same kind."""
    monkeypatch.setenv("HOME", "/" + "h" * 300)
    assert len(open_data("cifar10").train) == 5 * ROWS
    assert server.ranges == [None]


@pytest.mark.parametrize(
    "labels", [None, ["a"] * ROWS, [0.5] * ROWS, [[0], [1, 2]], [2**70] * ROWS]
)
def test_a_batch_without_labels_is_named(server, tmp_path, labels):
    with tarfile.open(fileobj=io.BytesIO(server.content)) as archive:
        archive.extractall(tmp_path, filter="data")
    batch = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    content = {b"data": np.zeros((ROWS, 3072), np.uint8), b"labels": labels}
    batch.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match="data_batch_3 holds no CIFAR-10 labels: fetch the archive"):
        open_data("cifar10")

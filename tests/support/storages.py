"""Archives of clips that are really there: a folder, and a bucket of an S3 server on the loopback."""

import contextlib

import boto3
import requests
from moto.server import ThreadedMotoServer

ACCESS_KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
BUCKET, PREFIX = "studio", "clips/of-today"


class Folder:
    """A folder, as a network drive is one."""

    def __init__(self, path):
        self._path = path
        self.url = str(path)
        path.mkdir()

    def files(self):
        """The content of every file by its name, hidden ones too."""
        return {path.name: path.read_bytes() for path in self._path.iterdir()}

    def put(self, name, content):
        """Replace a file; None deletes it."""
        if content is None:
            (self._path / name).unlink()
        else:
            (self._path / name).write_bytes(content)

    @contextlib.contextmanager
    def away(self):
        """The drive is not mounted."""
        aside = self._path.with_name("aside")
        self._path.rename(aside)
        try:
            yield
            assert not self._path.exists(), "a folder was made in the place of the mount"
        finally:
            aside.rename(self._path)


class Bucket:
    """A bucket of an S3 server of its own process's memory."""

    def __init__(self, server):
        self._server = server
        self.url = f"s3://{BUCKET}/{PREFIX}"
        server.reset()
        self._s3 = boto3.client(
            "s3",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )
        self._s3.create_bucket(Bucket=BUCKET)

    def files(self):
        """The content of every object by the last part of its name."""
        keys = [found["Key"] for found in self._s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
        assert all(key.startswith(f"{PREFIX}/") for key in keys)
        return {key.rpartition("/")[2]: self._s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def put(self, name, content):
        """Replace an object; None deletes it."""
        place = {"Bucket": BUCKET, "Key": f"{PREFIX}/{name}"}
        if content is None:
            self._s3.delete_object(**place)
        else:
            self._s3.put_object(**place, Body=content)

    @contextlib.contextmanager
    def away(self):
        """The server is down."""
        self._server.stop()
        try:
            yield
        finally:
            self._server.start()


class S3Server:
    """moto's S3 server, which keeps everything in this process."""

    def __init__(self):
        self._port = 0
        self.start()

    def start(self):
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._moto.start()
        _, self._port = self._moto.get_host_and_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def stop(self):
        self._moto.stop()

    def reset(self):
        """No bucket, and every key opens everything."""
        self._ask("reset")
        self._ask("reset-auth", "inf")

    def refuse_everybody(self):
        """From now on every key is one that the server does not know."""
        self._ask("reset-auth", "0")

    def _ask(self, action, body=""):
        requests.post(f"{self.url}/moto-api/{action}", data=body, timeout=30).raise_for_status()

"""A bucket of a test, looked at past the proxy."""

from __future__ import annotations

import hashlib
from typing import Any

import boto3
import s3fs
from botocore.config import Config
from zarr.core.sync import sync

from .fault_proxy import FaultProxy

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "me",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class S3Place:
    """A bucket, and the proxy in front of its server.

    Parameters
    ----------
    bucket : str
        Its name; it is made.
    proxy : FaultProxy
        What clients are told of.
    direct_url : str
        The server itself.
    """

    def __init__(self, bucket: str, proxy: FaultProxy, direct_url: str) -> None:
        self.bucket = bucket
        self.proxy = proxy
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=direct_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )
        self._client.create_bucket(Bucket=bucket)

    def url(self, name: str) -> str:
        """What a program calls a place in the bucket."""
        return f"s3://{self.bucket}/{name}"

    def environment(self) -> dict[str, str]:
        """What a program finds the server by; botocore tries nothing again."""
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.proxy.url,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        }

    def reconnect(self) -> None:
        """Close the connections of this process, which s3fs leaves open to the program's end."""
        for files in list(s3fs.S3FileSystem._cache.values()):
            if files._s3 is not None:
                sync(files._s3.close())
        s3fs.S3FileSystem.clear_instance_cache()

    def names(self, prefix: str = "") -> list[str]:
        """Names of objects."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def get(self, key: str) -> bytes:
        """An object."""
        body: bytes = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def put(self, key: str, value: bytes) -> None:
        """Make or replace an object."""
        self._client.put_object(Bucket=self.bucket, Key=key, Body=value)

    def share(self) -> None:
        """Let everybody read what is there now."""
        self._client.put_bucket_acl(Bucket=self.bucket, ACL="public-read")
        for key in self.names():
            self._client.put_object_acl(Bucket=self.bucket, Key=key, ACL="public-read")

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._client.delete_object(Bucket=self.bucket, Key=key)

    def hashes(self, folder: str) -> dict[str, str]:
        """SHA-256 of each object below a folder, but for the group's: it tells the time."""
        start = f"{folder}/"
        return {
            key.removeprefix(start): hashlib.sha256(self.get(key)).hexdigest()
            for key in self.names(start)
            if key != f"{start}zarr.json" and key != f"{start}.zattrs"
        }

    def names_below(self, folder: str) -> list[str]:
        """Names of objects below a folder, without its own."""
        return [key.removeprefix(f"{folder}/") for key in self.names(f"{folder}/")]

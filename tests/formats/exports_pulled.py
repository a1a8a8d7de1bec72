"""Exports that a running host made, pulled out of its bucket by boto3: AWS's own client, which we did not write.

Stores conversations and feedback over HTTP, exports them in every format, and holds what lies in the bucket to the
manifest, byte for byte. DuckDB and pandas read the parquet where it lies, through Arrow's S3 client. The trees are left
below HOLDFAST_TRAINING_SETS, for `training_sets.py`.

    HOLDFAST_URL, HOLDFAST_KEY: the host · HOLDFAST_TEST_S3_ENDPOINT, …_BUCKET, …_ACCESS_KEY, …_SECRET_KEY: its bucket
"""

import hashlib
import json
import os
import pathlib
import urllib.parse
import urllib.request

import boto3
import duckdb
import pandas
from botocore.config import Config
from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow.fs import S3FileSystem

URL, KEY = os.environ["HOLDFAST_URL"], os.environ["HOLDFAST_KEY"]
ENDPOINT, BUCKET = os.environ["HOLDFAST_TEST_S3_ENDPOINT"], os.environ["HOLDFAST_TEST_S3_BUCKET"]
ACCESS, SECRET = os.environ["HOLDFAST_TEST_S3_ACCESS_KEY"], os.environ["HOLDFAST_TEST_S3_SECRET_KEY"]
ROOT = pathlib.Path(os.environ["HOLDFAST_TRAINING_SETS"])
TENANT = KEY.split(".")[0].removeprefix("hf_")
USER, SESSIONS = "ann", 60
FORMATS = [
    "openai", "openai-preference", "trl-sft", "trl-prompt-completion", "trl-preference", "trl-kto",
    "sharegpt", "alpaca", "mlx", "parquet", "langchain",
]  # fmt: skip
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
CANARY = "marzipan lighthouse"


def ask(method, path, body=None):
    request = urllib.request.Request(URL + path, body and json.dumps(body).encode(), method=method)
    request.add_header("Authorization", f"Bearer {KEY}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def say(n):
    """The messages of a session: with tools, blocks, names, and odd turns."""
    mail = f"a{n}@b.example"
    said = [{"role": "system", "content": "be brief"}] if n % 3 == 0 else []
    said.append({"role": "user", "content": f'question {n}: naïve "quotes", {{x}}, \u2028 and 日本語 🙂\nmail {mail}'})
    said.append({"role": "assistant", "content": f"answer {n} to {mail}"})
    if n % 4 == 1:
        call = {"id": f"c{n}", "name": f"f{n % 5}", "args": {f"k{n % 7}": [n, None]}}
        said.append({"role": "user", "content": "look it up"})
        said.append({"role": "assistant", "content": "", "tool_calls": [call]})
        said.append({"role": "tool", "content": "found", "tool_call_id": f"c{n}"})
        said.append({"role": "assistant", "content": "there it is"})
    if n % 5 == 2:
        blocks = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "https://x"}}]
        said.append({"role": "user", "content": blocks, "name": "Ann"})
        said.append({"role": "assistant", "content": "None"})
    return said


def fill():
    for n in range(SESSIONS):
        session = f"s{n}"
        metadata = {"tools": TOOLS} if n % 4 == 1 else {}
        ask("POST", "/v1/sessions", {"id": session, "user_id": USER, "metadata": metadata})
        stored = ask("POST", f"/v1/sessions/{session}/messages", {"user_id": USER, "messages": say(n)})
        last = stored["messages"][-1]["id"]
        feedback = {0: {"rating": "up"}, 3: {"rating": "down", "better_answer": "a better answer"}}.get(n % 6)
        if feedback:
            ask("POST", f"/v1/sessions/{session}/messages/{last}/feedback", {"user_id": USER} | feedback)
    ask("POST", "/v1/sessions", {"id": "kept", "user_id": USER, "metadata": {"no_train": True}})
    kept = [{"role": "user", "content": CANARY}, {"role": "assistant", "content": CANARY}]
    ask("POST", "/v1/sessions/kept/messages", {"user_id": USER, "messages": kept})


def export(wish):
    export = ask("POST", "/v1/exports", {"user_id": USER, "split": {"validation": 0.2, "test": 0.1}, "seed": 7} | wish)
    while export["status"] == "running":
        export = ask("POST", f"/v1/exports/{export['id']}/advance", {})
    assert export["status"] == "done", export
    return export


def pull(s3, export, folder):
    """Fetches all that lies below the export, and holds it to the manifest."""
    prefix, there = f"v1/t/{TENANT}/exp/{export['id']}/", {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": 7}):
        for item in page.get("Contents", []):
            there[item["Key"].removeprefix(prefix)] = item["Size"]
    assert there.pop("_work/asked.json") > 0
    # Whose messages each file holds, for erases.
    lists = [name for name in there if name.startswith("_work/users-")]
    assert lists
    for name in lists:
        assert there.pop(name) > 0
    for name in there:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(BUCKET, prefix + name, str(folder / name))
    manifest = json.loads((folder / "_MANIFEST.json").read_text())
    assert manifest == export["manifest"]
    del there["_MANIFEST.json"]
    assert there == {file["name"]: file["bytes"] for file in manifest["files"]}
    for file in manifest["files"]:
        data = (folder / file["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"], file
        assert CANARY.encode() not in data, file
    assert manifest["left_out"]["no_train"] == 1, manifest
    return prefix, manifest


class Bucket(ArrowFSWrapper):
    """Arrow's S3 client under a name that DuckDB itself does not claim."""

    protocol = "bucket"

    @classmethod
    def _strip_protocol(cls, path):
        return path.removeprefix("bucket://")


def read_where_it_lies(prefix, manifest):
    """DuckDB and pandas read the parquet files in the bucket."""
    host = urllib.parse.urlparse(ENDPOINT)
    s3 = S3FileSystem(access_key=ACCESS, secret_key=SECRET, endpoint_override=host.netloc, scheme=host.scheme, region="us-east-1")
    connection = duckdb.connect()
    connection.register_filesystem(Bucket(s3))
    for split, count in manifest["splits"].items():
        path = f"{BUCKET}/{prefix}data/{split}-00000-of-00001.parquet"
        rows = connection.sql(f"select count(*), count(distinct session_id) from read_parquet('bucket://{path}')").fetchall()
        assert rows == [(count, count)], (split, rows)
        assert len(pandas.read_parquet(path, filesystem=s3)) == count


def main():
    s3 = boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
    fill()
    for format in FORMATS:
        prefix, manifest = pull(s3, export({"format": format}), ROOT / format)
        assert manifest["examples"] > 0, manifest
        if format == "parquet":
            read_where_it_lies(prefix, manifest)
    pull(s3, export({"format": "trl-sft", "anonymize": True}), ROOT / "trl-sft-anonymized")
    print(f"{len(FORMATS) + 1} exports lie in the bucket as their manifests say")


if __name__ == "__main__":
    main()

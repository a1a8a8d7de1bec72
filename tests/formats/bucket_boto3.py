"""Reads our bucket through boto3, AWS's own client for Python, which we did not write.

Stores messages over HTTP, then lists and reads the bucket: every acknowledged message is in a WAL object whose name
carries the object's hash, byte for byte, once, and nothing else lies there.

    HOLDFAST_URL, HOLDFAST_KEY: the host · HOLDFAST_TEST_S3_ENDPOINT, …_BUCKET, …_ACCESS_KEY, …_SECRET_KEY: its bucket
"""

import hashlib
import json
import os
import re
import urllib.parse
import urllib.request
import uuid

import boto3
from botocore.config import Config

URL, KEY = os.environ["HOLDFAST_URL"], os.environ["HOLDFAST_KEY"]
BUCKET = os.environ["HOLDFAST_TEST_S3_BUCKET"]
TENANT = KEY.split(".")[0].removeprefix("hf_")
USER = f"Zoë/boto3 +%~ {uuid.uuid4()}"
NAME = re.compile(r"(\d{8})/([0-9A-HJKMNP-TV-Z]{26})-([0-9a-f]{32})\.jsonl")
TEXTS = ["plain", "  spaces kept  ", "naïve 日本語 😀", 'quotes " and \\ and \r\n lines', "", "x" * 200_000]


def connect():
    return boto3.client(
        "s3",
        endpoint_url=os.environ["HOLDFAST_TEST_S3_ENDPOINT"],
        aws_access_key_id=os.environ["HOLDFAST_TEST_S3_ACCESS_KEY"],
        aws_secret_access_key=os.environ["HOLDFAST_TEST_S3_SECRET_KEY"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def store(session, texts):
    """Stores messages; what was acknowledged, as (session, id, order, text)."""
    path = f"/v1/sessions/{urllib.parse.quote(session, safe='')}/messages"
    messages = [{"role": "user", "content": text, "metadata": {"n": n}} for n, text in enumerate(texts)]
    request = urllib.request.Request(URL + path, json.dumps({"user_id": USER, "messages": messages}).encode())
    request.add_header("Authorization", f"Bearer {KEY}")
    request.add_header("Content-Type", "application/json")
    request.add_header("Idempotency-Key", str(uuid.uuid4()))
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 201
        stored = json.load(answer)["messages"]
    assert len(stored) == len(texts)
    return [(session, item["id"], item["order"], text) for item, text in zip(stored, texts)]


def segment(name):
    """An id in a key: `[a-z0-9_-]` stand, every other byte is `~hh`."""
    return "".join(chr(b) if re.fullmatch(rb"[a-z0-9_-]", bytes([b])) else f"~{b:02x}" for b in name.encode())


def keys_of(s3, prefix):
    """All keys below a prefix, by small pages; each once, in order."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": 7}
    )
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    assert keys == sorted(set(keys))
    return keys


def records_of(s3, prefix, key):
    """Records of one WAL object, whose name must carry its hash."""
    name = NAME.fullmatch(key.removeprefix(prefix))
    assert name, key
    answer = s3.get_object(Bucket=BUCKET, Key=key)
    body = answer["Body"].read()
    assert hashlib.sha256(body).hexdigest()[:32] == name.group(3), key
    assert answer["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    first, *records = [json.loads(line) for line in body.decode().rstrip("\n").split("\n")]
    assert first["v"] == 1 and len(first["prev"]) <= 8 and "kind" not in first, first
    assert records, key
    return first["prev"], records


def main():
    s3 = connect()
    acknowledged = []
    for n in range(20):
        acknowledged += store("boto3 one", [f"message {n}"])
    acknowledged += store("boto3/batch é", TEXTS)
    acknowledged += store("boto3 one", [f"batch {n}" for n in range(300)])

    prefix = f"v1/t/{segment(TENANT)}/u/{segment(USER)}/wal/"
    keys = keys_of(s3, prefix)
    assert len(keys) == 22, f"one object a write call, found {len(keys)}"
    assert [key for key in keys_of(s3, prefix.removesuffix("wal/")) if key not in keys] == []
    found = {}
    for key in keys:
        prev, records = records_of(s3, prefix, key)
        assert all(name in keys for name in prev), prev
        for record in records:
            assert record["v"] == 1 and record["kind"] == "message" and record["by"] == "service/root", record
            place = (record["session"], record["id"])
            assert place not in found, f"{place} lies there twice"
            found[place] = record["body"]["message"]
    assert len(found) == len(acknowledged)
    for session, message_id, _, text in acknowledged:
        assert found[(session, message_id)]["content"] == text, (session, message_id)
    print(f"every acknowledged message is in the bucket: {len(acknowledged)} in {len(keys)} objects")


if __name__ == "__main__":
    main()

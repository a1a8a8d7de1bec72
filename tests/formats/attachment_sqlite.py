"""A database that Python's sqlite3 wrote, kept with a session and read back: to the byte, and as a database.

Through boto3, which we did not write, the same bytes lie in the bucket, under names that carry their hash, and the list of the
session's files says what the bucket says (F1's `session_file_map`).

    HOLDFAST_URL, HOLDFAST_KEY: the host · HOLDFAST_TEST_S3_ENDPOINT, …_BUCKET, …_ACCESS_KEY, …_SECRET_KEY: its bucket
"""

import hashlib
import json
import os
import re
import sqlite3
import tempfile
import urllib.error
import urllib.request
import uuid

import boto3
from botocore.config import Config

URL, KEY = os.environ["HOLDFAST_URL"], os.environ["HOLDFAST_KEY"]
BUCKET = os.environ["HOLDFAST_TEST_S3_BUCKET"]
TENANT = KEY.split(".")[0].removeprefix("hf_")
USER, SESSION = f"db-{uuid.uuid4()}", str(uuid.uuid4())
NAME = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}-([0-9a-f]{32})")


def ask(method, path, body=None, kind="application/json"):
    request = urllib.request.Request(URL + path, body, method=method)
    request.add_header("Authorization", f"Bearer {KEY}")
    request.add_header("Holdfast-User", USER)
    if body is not None:
        request.add_header("Content-Type", kind)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.headers, answer.read()


def database(path, rows):
    with sqlite3.connect(path) as db:
        db.execute("create table notes (id integer primary key, text text, picture blob)")
        db.executemany("insert into notes (text, picture) values (?, ?)", ((f"note {n} é", os.urandom(3000)) for n in range(rows)))
        db.execute("create index by_text on notes (text)")
    db.close()
    return open(path, "rb").read()


def in_the_bucket():
    """Attachments of the user as the bucket has them, in the order of their names."""
    s3 = boto3.client(
        "s3",
        endpoint_url=os.environ["HOLDFAST_TEST_S3_ENDPOINT"],
        aws_access_key_id=os.environ["HOLDFAST_TEST_S3_ACCESS_KEY"],
        aws_secret_access_key=os.environ["HOLDFAST_TEST_S3_SECRET_KEY"],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
    prefix = f"v1/t/{TENANT}/u/{USER}/att/"
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
    parts = []
    for key in keys:
        part = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        named = NAME.fullmatch(key.removeprefix(prefix))
        assert named and hashlib.sha256(part).hexdigest()[:32] == named.group(1), key
        parts.append(part)
    return parts


with tempfile.TemporaryDirectory() as folder:
    ask("POST", "/v1/sessions", json.dumps({"id": SESSION}).encode())
    files = f"/v1/sessions/{SESSION}/attachments"
    for rows in (10, 4000):
        before = len(in_the_bucket())
        path = os.path.join(folder, f"{rows}.db")
        sent = database(path, rows)
        ask("PUT", f"{files}/{SESSION}.{rows}.db", sent, "application/vnd.sqlite3")
        headers, came = ask("GET", f"{files}/{SESSION}.{rows}.db")
        assert came == sent and headers["ETag"] == f'"{hashlib.sha256(sent).hexdigest()}"'
        assert headers["Content-Type"] == "application/vnd.sqlite3"
        back = os.path.join(folder, f"back-{rows}.db")
        open(back, "wb").write(came)
        with sqlite3.connect(back) as db:
            assert db.execute("pragma integrity_check").fetchone() == ("ok",)
            assert db.execute("select count(*), max(text) from notes").fetchone()[0] == rows
        db.close()
        assert b"".join(in_the_bucket()[before:]) == sent
    listed = json.loads(ask("GET", files)[1])["data"]
    told = [(item["name"], item["size"]) for item in listed]
    assert told == [(f"{SESSION}.{rows}.db", os.path.getsize(os.path.join(folder, f"{rows}.db"))) for rows in (10, 4000)]
    assert sum(item["size"] for item in listed) == sum(map(len, in_the_bucket()))
    ask("DELETE", f"/v1/sessions/{SESSION}")
    try:
        ask("GET", f"{files}/{SESSION}.10.db")
        raise SystemExit("it outlived its session")
    except urllib.error.HTTPError as gone:
        assert gone.code == 404
print("databases come back to the byte, and lie in the bucket as they were sent")

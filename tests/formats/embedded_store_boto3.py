"""Uses a store through boto3, AWS's own client for Python, which we did not write.

Writes, reads, lists, ranges, copies, deletes, writes under conditions, uploads in parts and
reads by presigned URL. Exits with a traceback at the first thing that is not as S3 has it.
Settings: HOLDFAST_TEST_S3_ENDPOINT, and where they are not the defaults
HOLDFAST_TEST_S3_BUCKET, HOLDFAST_TEST_S3_ACCESS_KEY, HOLDFAST_TEST_S3_SECRET_KEY.
Objects lie under a prefix of their own and are removed at the end.
"""

import hashlib
import io
import os
import random
import urllib.request
import uuid

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = os.environ.get("HOLDFAST_TEST_S3_BUCKET", "holdfast")
PREFIX = f"boto3/{uuid.uuid4()}/"


def connect():
    return boto3.client(
        "s3",
        endpoint_url=os.environ["HOLDFAST_TEST_S3_ENDPOINT"],
        aws_access_key_id=os.environ.get("HOLDFAST_TEST_S3_ACCESS_KEY", "holdfast"),
        aws_secret_access_key=os.environ.get("HOLDFAST_TEST_S3_SECRET_KEY", "holdfast-secret"),
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def refused(code, call, **arguments):
    """The call must fail with this error code."""
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"{found} instead of {code}"
        return
    raise AssertionError(f"no {code}")


def writes_and_reads(s3):
    key, body = PREFIX + "dir/grüße + 100%.txt", "byte-exact é\r\n".encode()
    put = s3.put_object(
        Bucket=BUCKET, Key=key, Body=body, ContentType="text/plain", Metadata={"kind": "wal"}
    )
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ETag"] == etag
    got = s3.get_object(Bucket=BUCKET, Key=key)
    assert got["Body"].read() == body
    head = s3.head_object(Bucket=BUCKET, Key=key)
    for answer in (got, head):
        assert answer["ETag"] == etag
        assert answer["ContentLength"] == len(body)
        assert answer["ContentType"] == "text/plain"
        assert answer["Metadata"] == {"kind": "wal"}
        assert answer["ResponseMetadata"]["HTTPHeaders"]["date"]
    refused("NoSuchKey", s3.get_object, Bucket=BUCKET, Key=PREFIX + "none")
    refused("404", s3.head_object, Bucket=BUCKET, Key=PREFIX + "none")
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, ChecksumAlgorithm=algorithm)
    refused("BadDigest", s3.put_object, Bucket=BUCKET, Key=key, Body=body,
            ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")


def ranges(s3):
    key, body = PREFIX + "ranges", bytes(range(256))
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def part(text):
        return s3.get_object(Bucket=BUCKET, Key=key, Range=text)["Body"].read()

    assert part("bytes=0-9") == body[:10]
    assert part("bytes=250-") == body[250:]
    assert part("bytes=-6") == body[-6:]
    refused("InvalidRange", s3.get_object, Bucket=BUCKET, Key=key, Range="bytes=256-")


def lists(s3):
    rng = random.Random(3)
    names = {"".join(rng.choice("ab/é +%&<日") for _ in range(rng.randint(1, 8))) for _ in range(200)}
    keys = sorted((PREFIX + "list/" + name for name in names), key=lambda key: key.encode())
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=PREFIX + "list/", PaginationConfig={"PageSize": 17}
    )
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys
    after = s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX + "list/", StartAfter=keys[100])
    assert [entry["Key"] for entry in after["Contents"]] == keys[101:]
    older = s3.get_paginator("list_objects").paginate(
        Bucket=BUCKET, Prefix=PREFIX + "list/", PaginationConfig={"PageSize": 17}
    )
    assert [entry["Key"] for page in older for entry in page["Contents"]] == keys
    start, files, folders = len(PREFIX + "list/"), [], set()
    for key in keys:
        name, slash, _ = key[start:].partition("/")
        if slash:
            folders.add(key[:start] + name + "/")
        else:
            files.append(key)
    pages = list(s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=PREFIX + "list/", Delimiter="/", PaginationConfig={"PageSize": 5}
    ))
    assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == files
    found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    assert len(found) == len(set(found)) and set(found) == folders


def writes_under_conditions(s3):
    key = PREFIX + "conditions"
    first = s3.put_object(Bucket=BUCKET, Key=key, Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", s3.put_object, Bucket=BUCKET, Key=key, Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"2", IfMatch=first)
    refused("PreconditionFailed", s3.put_object, Bucket=BUCKET, Key=key, Body=b"3", IfMatch=first)
    got = s3.get_object(Bucket=BUCKET, Key=key)
    assert got["Body"].read() == b"2"
    refused("304", s3.get_object, Bucket=BUCKET, Key=key, IfNoneMatch=got["ETag"])
    refused("PreconditionFailed", s3.get_object, Bucket=BUCKET, Key=key, IfMatch=first)


def uploads_in_parts(s3):
    key, body = PREFIX + "big", random.Random(5).randbytes(20 << 20)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, key, ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=BUCKET, Key=key)
    assert head["ETag"].endswith('-3"') and head["Metadata"] == {"a": "b"}
    back = io.BytesIO()
    s3.download_fileobj(BUCKET, key, back)
    assert back.getvalue() == body
    s3.copy({"Bucket": BUCKET, "Key": key}, BUCKET, key + " copy",
            Config=TransferConfig(multipart_threshold=8 << 20))
    assert s3.get_object(Bucket=BUCKET, Key=key + " copy")["Body"].read() == body
    assert not s3.list_multipart_uploads(Bucket=BUCKET, Prefix=PREFIX).get("Uploads")


def copies_and_signs_urls(s3):
    key = PREFIX + "source é"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"text", Metadata={"a": "b"})
    s3.copy_object(Bucket=BUCKET, Key=key + "+", CopySource={"Bucket": BUCKET, "Key": key})
    copied = s3.get_object(Bucket=BUCKET, Key=key + "+")
    assert copied["Body"].read() == b"text" and copied["Metadata"] == {"a": "b"}
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key})
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"text"


def buckets(s3):
    name = f"boto3-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    s3.head_bucket(Bucket=name)
    s3.get_bucket_location(Bucket=name)
    assert "Status" not in s3.get_bucket_versioning(Bucket=name)
    refused("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration, Bucket=name)
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.put_object(Bucket=name, Key="key", Body=b"x")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=name)
    s3.delete_object(Bucket=name, Key="key")
    s3.delete_bucket(Bucket=name)
    refused("NoSuchBucket", s3.list_objects_v2, Bucket=name)


def deletes(s3):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX):
        keys = [{"Key": entry["Key"]} for entry in page["Contents"]]
        answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})
        assert len(answer["Deleted"]) == len(keys) and not answer.get("Errors")
    s3.delete_object(Bucket=BUCKET, Key=PREFIX + "none")
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX)["KeyCount"] == 0


def main():
    s3 = connect()
    for check in (writes_and_reads, ranges, lists, writes_under_conditions, uploads_in_parts,
                  copies_and_signs_urls, buckets, deletes):
        check(s3)
        print(f"ok {check.__name__}", flush=True)


if __name__ == "__main__":
    main()

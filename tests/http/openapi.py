"""The description of the interface (/openapi.json) against a running server: every example is made, every answer is held
against its schema, and schemathesis asks what nobody thought of. HOLDFAST_URL and HOLDFAST_KEY name the server."""

import copy
import hashlib
import json
import os
import subprocess
import sys
import urllib.request
import uuid

import pytest
import schemathesis
from openapi_spec_validator import validate

URL = os.environ["HOLDFAST_URL"]
KEY = os.environ["HOLDFAST_KEY"]
USER = f"described {uuid.uuid4()}"
TEXT = "We fly to Lisbon on 3 May, window seats please."

with urllib.request.urlopen(f"{URL}/openapi.json") as answer:
    DOCUMENT = json.load(answer)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)

# Every operation once, in an order in which each finds what it needs: path parameters, and query where it must have one.
TRIP = {"session_id": "trip"}
MESSAGE = TRIP | {"message_id": "m"}
FILE = TRIP | {"name": "notes.db"}
ENTRY = TRIP | {"type": "project", "key": "k"}
MEMORY = {"memory_id": "w"}
OF_USER = {"user_id": USER}
HASH = hashlib.sha256(TEXT.encode()).hexdigest()
STEPS = [
    ("createSession", {}, {"id": "trip"}, {}),
    ("storeMessages", TRIP, {"id": "m", "content": TEXT}, {}),
    ("listMessages", TRIP, None, {}),
    ("getMessage", MESSAGE, None, {}),
    ("listChunks", MESSAGE, None, {}),
    ("giveFeedback", MESSAGE, {}, {}),
    ("listFeedback", MESSAGE, None, {}),
    ("listSessions", {}, None, {}),
    ("getSession", TRIP, None, {}),
    ("updateSession", TRIP, {}, {}),
    ("getStatistics", TRIP, None, {}),
    ("putContext", ENTRY, {}, {}),
    ("listContexts", TRIP, None, {}),
    ("listContextsOfType", TRIP | {"type": "project"}, None, {}),
    ("getContext", ENTRY, None, {}),
    ("deleteContext", ENTRY, None, {}),
    ("relateSession", {"session_id": "other"}, {}, {}),
    ("listRelationships", {"session_id": "other"}, None, {}),
    ("deleteRelationship", {"session_id": "other", "type": "reference", "target_session_id": "trip"}, None, {}),
    ("putAttachment", FILE, {}, {}),
    ("listAttachments", TRIP, None, {}),
    ("headAttachment", FILE, None, {}),
    ("getAttachment", FILE, None, {}),
    ("deleteAttachment", FILE, None, {}),
    ("summarizeSession", TRIP, {}, {}),
    ("listSummaries", TRIP, None, {}),
    ("search", {}, {}, {}),
    ("retrieveContext", {}, {}, {}),
    ("saveMemory", {}, {"id": "w"}, {}),
    ("saveMemories", {}, {}, {}),
    ("listMemories", {}, None, {}),
    ("getMemory", MEMORY, None, {}),
    ("updateMemory", MEMORY, {}, {}),
    ("listMemoryVersions", MEMORY, None, {}),
    ("restoreMemory", MEMORY, {}, {}),
    ("putUser", OF_USER, {"no_train": False}, {}),
    ("getUser", OF_USER, None, {}),
    ("restoreUser", OF_USER, {}, {}),
    ("getProfile", OF_USER, None, {}),
    ("getTimeline", OF_USER, None, {}),
    ("listChanges", OF_USER, None, {}),
    ("findMessages", OF_USER, None, {"content_hash": HASH}),
    ("putPreference", OF_USER | {"key": "language"}, {}, {}),
    ("listPreferences", OF_USER, None, {}),
    ("getPreference", OF_USER | {"key": "language"}, None, {}),
    ("deletePreference", OF_USER | {"key": "language"}, None, {}),
    ("beginExport", {}, {}, {}),
    ("listExports", {}, None, {}),
    ("getExport", {"export_id": "@begun"}, None, {}),
    ("advanceExport", {"export_id": "@begun"}, None, {}),
    ("listExportFiles", {"export_id": "@begun"}, None, {}),
    ("getExportFile", {"export_id": "@begun", "name": "_MANIFEST.json"}, None, {}),
    ("cancelExport", {"export_id": "@other"}, None, {}),
    ("getDoctor", {}, None, {}),
    ("summarizeIdle", {}, {}, {}),
    ("compact", {}, {}, {}),
    ("collect", {}, {}, {}),
    ("expire", {}, {}, {}),
    ("makeKey", {}, {}, {}),
    ("listKeys", {}, None, {}),
    ("revokeKey", {"key_id": "@made"}, None, {}),
    ("deleteMemory", MEMORY, None, {}),
    ("deleteMessage", MESSAGE, None, {}),
    ("deleteSession", TRIP, None, {}),
    ("eraseUser", OF_USER, {}, {}),
    ("getErasure", OF_USER, None, {}),
]


def operations():
    return {op["operationId"]: (path, method, op) for path, item in DOCUMENT["paths"].items() for method, op in item.items()}


def headers(operation):
    named = {"Authorization": f"Bearer {KEY}"}
    # What is of a tenant names no user.
    return named if operation["x-permission"] in ("admin", "keys") else named | {"Holdfast-User": USER}


def test_the_document_is_openapi():
    validate(DOCUMENT)


def test_every_operation_is_made():
    assert sorted(step[0] for step in STEPS) == sorted(operations())


def test_every_example_is_answered_as_described():
    known = operations()
    call("createSession", {}, {"id": "other"}, {}, known)
    other = call("beginExport", {}, {}, {}, known).json()["id"]
    # Ids that the server makes.
    made = {"@other": other}
    for name, path, change, query in STEPS:
        path = {key: made.get(value, value) for key, value in path.items()}
        answer = call(name, path, change, query, known)
        if name == "makeKey":
            made["@made"] = answer.json()["id"]
        if name == "beginExport":
            made["@begun"] = answer.json()["id"]
        while name == "advanceExport" and answer.json()["status"] not in ("done", "failed"):
            answer = call(name, path, change, query, known)


def call(name, path, change, query, known):
    route, method, operation = known[name]
    sent = {}
    if change is not None and "requestBody" in operation:
        (kind, content), = operation["requestBody"]["content"].items()
        example = content["example"]
        sent = {"body": example | change if kind == "application/json" else example.encode(), "media_type": kind}
    case = SCHEMA[route][method.upper()].Case(path_parameters=path, query=query, headers=headers(operation), **sent)
    answer = case.call(base_url=URL)
    if name == "summarizeIdle":
        # It is off unless a setting says otherwise.
        assert answer.status_code == 422 and "summarize_idle_ms" in answer.text, answer.text
        case.validate_response(answer)
        return answer
    assert 200 <= answer.status_code < 300, f"{name}: {answer.status_code} {answer.text}"
    case.validate_response(answer)
    return answer


def test_whatever_is_asked_is_answered_as_described(tmp_path):
    """Tokens, cursors and a scope of their own are left out: made up they are refused, and nothing else would be asked."""
    document = copy.deepcopy(DOCUMENT)
    left_out = {f"#/components/parameters/{name}" for name in ("user_id", "Holdfast-User", "Holdfast-After", "cursor", "If-Match")}
    for item in document["paths"].values():
        for operation in item.values():
            operation["parameters"] = [p for p in operation.get("parameters", []) if p.get("$ref") not in left_out]
    for name, schema in document["components"]["schemas"].items():
        if schema.get("additionalProperties") is False and name != "NewKey":
            schema["properties"].pop("user_id", None)
    # Without a model a search by vector alone is refused for now (503), as it should be.
    document["components"]["schemas"]["SearchQuery"]["properties"]["mode"]["enum"].remove("vector")
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", str(path), "--url", URL, "-H", f"Authorization: Bearer {KEY}",
        "-H", f"Holdfast-User: {USER}", "--checks", checks, "--phases", "examples,coverage,fuzzing", "--max-examples", "5",
        "--seed", "7", "--no-color", "--exclude-operation-id", "eraseUser", "--exclude-operation-id", "deleteSession",
        "--exclude-operation-id", "makeKey", "--exclude-operation-id", "revokeKey", "--exclude-operation-id", "getDoctor",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider"]))

"""LangChain's own messages, stored and given back as they came.

What langchain-core writes (`message_to_dict`, all 13 types, made from a seed) is stored and read again: the JSON is the
same to the byte, and `messages_from_dict` makes equal messages of it.

    HOLDFAST_URL=http://127.0.0.1:8080 HOLDFAST_KEY=hf_… pytest tests/formats/langchain_roundtrip.py

Without a server, HOLDFAST_ECHO names the binary of `cargo build -p holdfast-formats --example langchain-echo`, which
stores in memory only. HOLDFAST_SEED (1) and HOLDFAST_ROUNDS (5) choose what is made.
"""

import json
import os
import random
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    ChatMessageChunk,
    FunctionMessage,
    FunctionMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
    message_to_dict,
    messages_from_dict,
)

URL = os.environ.get("HOLDFAST_URL", "").rstrip("/")
KEY = os.environ.get("HOLDFAST_KEY", "")
USER = os.environ.get("HOLDFAST_USER", "roundtrip")
ECHO = os.environ.get("HOLDFAST_ECHO", "")
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))
ROUNDS = int(os.environ.get("HOLDFAST_ROUNDS", "5"))

needs_server = pytest.mark.skipif(not URL, reason="HOLDFAST_URL names no server")
needs_any = pytest.mark.skipif(not (URL or ECHO), reason="neither HOLDFAST_URL nor HOLDFAST_ECHO is set")

PLAIN = (HumanMessage, HumanMessageChunk, SystemMessage, SystemMessageChunk)
WORDS = ["naïve", "日本語", "😀👩‍👩‍👧", "{{x}}", "<script>", "\r\n", "\t", '"quoted"', "\\u0041", "\u2028", "العربية", "a" * 60]


def text(rng):
    """Text of any length, empty included."""
    if rng.random() < 0.03:
        return "long " * rng.randint(2_000, 20_000)
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, 8)))


def value(rng, depth=3):
    """Any JSON value."""
    kind = rng.randint(0, 7 if depth else 5)
    if kind == 6:
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    if kind == 7:
        return {f"{rng.choice(WORDS)}{n}": value(rng, depth - 1) for n in range(rng.randint(0, 3))}
    return [None, True, rng.randint(-(2**60), 2**60), rng.random() * 1e-7, text(rng), ""][kind]


def block(rng):
    return rng.choice(
        [
            {"type": "text", "text": text(rng)},
            {"type": "image_url", "image_url": {"url": "https://example.com/a-b?c=d#e", "detail": "low"}},
            {"type": "reasoning", "reasoning": text(rng), "extras": {"k": value(rng)}},
            {"type": "vendor_thing", "deep": {"er": value(rng)}},
            text(rng),
        ]
    )


def common(rng):
    """Fields that every type has."""
    content = text(rng) if rng.random() < 0.6 else [block(rng) for _ in range(rng.randint(0, 4))]
    return {
        "content": content,
        "additional_kwargs": {"k": value(rng)} if rng.random() < 0.3 else {},
        "response_metadata": {"model_name": "m", "x": value(rng)} if rng.random() < 0.3 else {},
        "name": rng.choice([None, "bob", "Zoë 😀"]),
        # Several messages share an id, as the chunks of one answer do.
        "id": rng.choice([None, "run-1", "run-2", str(uuid.UUID(int=rng.getrandbits(128)))]),
    }


def call_id(rng):
    return f"call_{rng.getrandbits(40):x}"


def spoken_by_model(rng, kind):
    fields = common(rng)
    if rng.random() < 0.5:
        fields["tool_calls"] = [
            {"name": "f", "args": {"x": value(rng)}, "id": call_id(rng), "type": "tool_call"} for _ in range(rng.randint(0, 2))
        ]
        fields["invalid_tool_calls"] = [
            {"type": "invalid_tool_call", "id": "bad", "name": "g", "args": "{bad", "error": text(rng)}
        ][: rng.randint(0, 1)]
    if rng.random() < 0.5:
        fields["usage_metadata"] = {
            "input_tokens": 3,
            "output_tokens": 4,
            "total_tokens": 7,
            "input_token_details": {"cache_read": 1},
            "output_token_details": {"reasoning": 2},
        }
    if kind is AIMessageChunk:
        # A chunk makes its calls of these.
        fields.pop("tool_calls", None)
        fields.pop("invalid_tool_calls", None)
        fields["tool_call_chunks"] = [
            {"name": "f", "args": '{"x": 1', "id": call_id(rng), "index": 0, "type": "tool_call_chunk"}
        ][: rng.randint(0, 1)]
        fields["chunk_position"] = rng.choice([None, "last"])
    return kind(**fields)


def answered_by_tool(rng, kind):
    artifact = value(rng) if rng.random() < 0.5 else None
    return kind(**common(rng), tool_call_id=call_id(rng), artifact=artifact, status=rng.choice(["success", "error"]))


def spoken_in_chat(rng, kind):
    return kind(**common(rng), role=rng.choice(["developer", "user", "assistant", "Ann", "critic"]))


def answered_by_function(rng, kind):
    return kind(**{**common(rng), "name": "fn"})


MAKERS = (
    [(lambda rng, kind=kind: kind(**common(rng))) for kind in PLAIN]
    + [(lambda rng, kind=kind: spoken_by_model(rng, kind)) for kind in (AIMessage, AIMessageChunk)]
    + [(lambda rng, kind=kind: answered_by_tool(rng, kind)) for kind in (ToolMessage, ToolMessageChunk)]
    + [(lambda rng, kind=kind: spoken_in_chat(rng, kind)) for kind in (ChatMessage, ChatMessageChunk)]
    + [(lambda rng, kind=kind: answered_by_function(rng, kind)) for kind in (FunctionMessage, FunctionMessageChunk)]
    + [lambda rng: RemoveMessage(id=rng.choice(["run-1", "gone"]))]
)


def conversation(seed, count=60):
    """Messages of a seed, each type at least once."""
    rng = random.Random(seed)
    makers = MAKERS + [rng.choice(MAKERS) for _ in range(count - len(MAKERS))]
    rng.shuffle(makers)
    messages = [make(rng) for make in makers]
    # An answer follows its call: one that came before it would be moved behind it, as the store promises.
    calls = []
    for message in messages:
        if isinstance(message, ToolMessage) and calls:
            message.tool_call_id = rng.choice(calls)
        calls += [made["id"] for made in getattr(message, "tool_calls", [])]
    return rng, messages


def written(rng, message):
    """JSON text of a message, as different writers space and escape it."""
    style = rng.choice(
        [{}, {"ensure_ascii": False}, {"indent": 1}, {"ensure_ascii": False, "separators": (",", ":")}, {"sort_keys": True}]
    )
    return json.dumps(message_to_dict(message), **style)


def call(method, path, body=None, headers=None):
    """A request; its status, headers and text."""
    url = urllib.parse.urljoin(URL + "/", path)
    request = urllib.request.Request(url, body.encode() if body is not None else None, method=method)
    request.add_header("Authorization", f"Bearer {KEY}")
    request.add_header("Content-Type", "application/json")
    request.add_header("Holdfast-User", USER)
    for name, header in (headers or {}).items():
        request.add_header(name, header)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def new_session():
    return f"roundtrip {uuid.uuid4()}"


def messages_path(session, **query):
    return f"/v1/sessions/{urllib.parse.quote(session, safe='')}/messages?{urllib.parse.urlencode(query)}"


def store(session, items, key, format="langchain"):
    status, _, answer = call(
        "POST", messages_path(session, format=format), "[" + ",".join(items) + "]", {"Idempotency-Key": key}
    )
    assert status == 201, answer
    return json.loads(answer)["messages"]


def pages(session, **query):
    """Texts of all pages, following `Link: <…>; rel="next"`."""
    path = messages_path(session, format="langchain", **query)
    while path:
        status, headers, page = call("GET", path)
        assert status == 200, page
        yield page
        next_page = re.search(r'<([^>]*)>\s*;\s*rel="?next"?', headers.get("Link") or "")
        path = next_page and next_page.group(1)


def joined(texts):
    inside = [page.strip()[1:-1] for page in texts]
    return "[" + ",".join(page for page in inside if page) + "]"


def through_server(rng, items):
    session = new_session()
    left = list(items)
    while left:
        size = rng.randint(1, 25)
        stored = store(session, left[:size], str(uuid.uuid4()))
        assert len(stored) == len(left[:size])
        assert all(message["id"] and message["order"] for message in stored)
        left = left[size:]
    return joined(pages(session, limit=7))


def through_echo(items):
    done = subprocess.run([ECHO], input=("[" + ",\n".join(items) + "]").encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@needs_any
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_all_13_types_come_back_as_they_came(seed):
    rng, messages = conversation(seed)
    assert len({message.__class__ for message in messages}) == 13
    items = [written(rng, message) for message in messages]
    # Only what LangChain itself reads back equal is asked of us.
    assert messages_from_dict([json.loads(item) for item in items]) == messages
    found = through_server(rng, items) if URL else through_echo(items)
    assert json.loads(found) == [json.loads(item) for item in items]
    assert messages_from_dict(json.loads(found)) == messages
    assert found == "[" + ",".join(items) + "]"


@needs_any
def test_what_langchain_cannot_read_is_refused():
    bad = ['{"type":"alien","data":{"content":"x"}}', '{"type":"human"}', '{"type":"human","data":{"content":null}}']
    bad.append('{"type":"tool","data":{"content":"x"}}')
    for item in bad:
        with pytest.raises(Exception):
            messages_from_dict([json.loads(item)])
        if not URL:
            assert subprocess.run([ECHO], input=f"[{item}]".encode(), capture_output=True, check=False).returncode != 0
            continue
        good = '{"type":"human","data":{"content":"x"}}'
        session = new_session()
        path = messages_path(session, format="langchain")
        status, _, answer = call("POST", path, f"[{good},{item}]", {"Idempotency-Key": str(uuid.uuid4())})
        assert status == 422, answer
        assert [error["pointer"].startswith("/1/") for error in json.loads(answer)["errors"]] == [True]


@needs_server
def test_a_repeated_request_stores_nothing_twice():
    rng, messages = conversation(SEED, 15)
    items = [written(rng, message) for message in messages]
    session, key = new_session(), str(uuid.uuid4())
    first, again = store(session, items, key), store(session, items, key)
    assert [message["id"] for message in first] == [message["id"] for message in again]
    assert json.loads(joined(pages(session, limit=100))) == [json.loads(item) for item in items]


@needs_server
def test_messages_of_our_own_form_are_read_by_langchain():
    session = new_session()
    call_made = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    sent = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "é"}], "name": "bob"},
        {"role": "assistant", "content": None, "tool_calls": [call_made]},
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
    ]
    key = {"Idempotency-Key": str(uuid.uuid4())}
    status, _, answer = call("POST", messages_path(session), json.dumps({"messages": sent}), key)
    assert status == 201, answer
    ids = [message["id"] for message in json.loads(answer)["messages"]]
    read = messages_from_dict(json.loads(joined(pages(session))))
    assert [message.type for message in read] == ["system", "human", "ai", "tool"]
    assert [message.id for message in read] == ids
    assert read[1].content == [{"type": "text", "text": "é"}] and read[1].name == "bob"
    assert read[2].tool_calls == [{"name": "f", "args": {"x": 1}, "id": "c1", "type": "tool_call"}]
    assert read[3].tool_call_id == "c1"


@needs_server
def test_annotations_are_read_by_langchain_and_name_our_ids():
    rng, messages = conversation(SEED + 1, 13)
    session = new_session()
    stored = store(session, [written(rng, message) for message in messages], str(uuid.uuid4()))
    read = messages_from_dict(json.loads(joined(pages(session, annotate="true"))))
    ours = [message.response_metadata.pop("holdfast") for message in read]
    assert [(note["id"], note["order"]) for note in ours] == [(m["id"], m["order"]) for m in stored]
    assert read == messages


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-rs"]))

"""Every tool and resource of MCP by the official SDK's client, in both generations of the protocol.

The SDK holds each result to the schema of its revision, and what a tool gives to the tool's own outputSchema.
Needs HOLDFAST_URL and HOLDFAST_KEY.
"""

import asyncio
import json
import os
import uuid

from jsonschema import Draft202012Validator
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

URL = os.environ["HOLDFAST_URL"] + "/mcp"
KEY = os.environ["HOLDFAST_KEY"]
TOOLS = {
    "store_message", "retrieve_context", "search_memories", "save_to_model_memory", "retrieve_user_info",
    "list_memories", "update_memory", "delete_memory", "summarize_session", "list_sessions", "get_session",
}
# How the client connects, and the revision that it must come to speak.
MODES = {"legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"}


async def tools(client):
    """Calls every tool; what each gave, by name."""
    given = {}

    async def call(name, **arguments):
        result = await client.call_tool(name, arguments)
        assert not result.is_error, (name, result)
        assert result.content[0].type == "text"
        given[name] = result.structured_content
        return result.structured_content

    stored = await call("store_message", session_id="trip", messages=[
        {"role": "user", "content": "We fly to Lisbon on 3 May.", "name": "Ann", "metadata": {"n": 1}},
        {"role": "assistant", "content": "Booked: two window seats."},
    ])
    source = stored["messages"][0]["id"]
    saved = await call("save_to_model_memory", text="Ann flies to Lisbon", category="travel", importance=0.8,
                       session_id="trip", source_message_ids=[source])
    again = await call("save_to_model_memory", text="Ann flies to Lisbon")
    assert (saved["status"], again["status"], again["id"]) == ("saved", "linked", saved["id"])
    changed = await call("update_memory", memory_id=saved["id"], text="Ann flies to Lisbon on 3 May", metadata={"a": 1})
    assert changed["metadata"] == {"a": 1} and changed["category"] == "travel"
    listed = await call("list_memories", limit=10, filters={"category": {"eq": "travel"}})
    assert [memory["id"] for memory in listed["data"]] == [saved["id"]]
    found = await call("search_memories", query="Lisbon", mode="keyword", top_k=5)
    assert {hit["type"] for hit in found["data"]} == {"message", "memory"}
    context = await call("retrieve_context", session_id="trip", query="When do we fly?", max_tokens=500)
    assert "3 May" in context["context"]
    summed = await call("summarize_session", session_id="trip")
    assert len(summed["summary"]["covers"]["messages"]) == 2, summed
    known = await call("retrieve_user_info")
    assert "Ann flies to Lisbon on 3 May" in known["text"]
    assert (await call("list_sessions"))["data"][0]["id"] == "trip"
    assert (await call("get_session", session_id="trip"))["message_count"] == 2
    assert (await call("delete_memory", memory_id=saved["id"])) == {"deleted": True}
    assert set(given) == TOOLS, TOOLS - set(given)


async def failures(client):
    """What fails is a result for the model, unless the protocol itself was broken."""
    failed = await client.call_tool("get_session", {"session_id": "none"})
    assert failed.is_error and json.loads(failed.content[0].text)["code"] == "not_found"
    failed = await client.call_tool("get_session", {"sesion_id": "trip"})
    assert failed.is_error and "session_id" in failed.content[0].text
    for attempt in (client.call_tool("no_such_tool", {}), client.read_resource("memory://nothing")):
        try:
            await attempt
            raise AssertionError("this must not succeed")
        except MCPError as error:
            assert error.error.code == -32602, error.error


async def resources(client, user):
    """Reads every resource."""
    templates = (await client.list_resource_templates()).resource_templates
    assert [template.name for template in templates] == ["session", "profile"]
    assert (await client.list_resources()).resources == []
    session = (await client.read_resource("memory://sessions/trip")).contents
    assert json.loads(session[0].text)["message_count"] == 2
    newest = json.loads(session[1].text)["data"][0]
    assert newest["content"] == "Booked: two window seats."
    profile = (await client.read_resource(f"memory://users/{user}/profile")).contents
    assert json.loads(profile[0].text)["user_id"] == user


async def run(mode, revision):
    user = f"sdk-{mode}-{uuid.uuid4()}"
    headers = {"Authorization": f"Bearer {KEY}", "Holdfast-User": user}
    async with create_mcp_http_client(headers=headers) as http:
        async with Client(streamable_http_client(URL, http_client=http), mode=mode) as client:
            assert client.protocol_version == revision, client.protocol_version
            listed = (await client.list_tools()).tools
            assert {tool.name for tool in listed} == TOOLS
            for tool in listed:
                Draft202012Validator.check_schema(tool.input_schema)
                Draft202012Validator.check_schema(tool.output_schema)
            await tools(client)
            await failures(client)
            await resources(client, user)
            if mode == "legacy":
                assert client.server_info.name == "holdfast"
    print(f"mode {mode}: {len(TOOLS)} tools and 2 resources in {revision}")


async def main():
    for mode, revision in MODES.items():
        await run(mode, revision)


asyncio.run(main())

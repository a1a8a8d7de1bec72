//! MCP as bytes: headers, envelopes, keys and limits. What clients make of it: `outside.rs`.

use holdfast_http_tests::{Answer, Client, Running, by_words, fresh};
use serde_json::{Value, json};
use std::sync::Arc;

const PATH: &str = "/mcp";
const NEW: &str = "2026-07-28";

fn client() -> Client {
    let user = fresh("mcp").replace(' ', "-");
    Client { user: Some(user), ..Client::new(by_words()) }
}

fn message(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

/// A request of an older client.
fn old(client: &Client, method: &str, params: &Value) -> Value {
    let answer =
        client.post_with(PATH, ("MCP-Protocol-Version", "2025-11-25"), &message(method, params));
    answer.expect_status(200).json()
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": NEW,
        "io.modelcontextprotocol/clientInfo": {"name": "ExampleClient", "version": "1.0.0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// A request of revision 2026-07-28.
fn new(client: &Client, method: &str, name: Option<&str>, params: &Value) -> Answer {
    let mut params = params.clone();
    params["_meta"] = meta();
    let mut headers = vec![("MCP-Protocol-Version", NEW), ("Mcp-Method", method)];
    headers.extend(name.map(|name| ("Mcp-Name", name)));
    client.send("POST", PATH, &headers, Some(message(method, &params).as_bytes()))
}

/// The result of a tool, called by an older client.
fn call(client: &Client, name: &str, arguments: &Value) -> Value {
    old(client, "tools/call", &json!({"name": name, "arguments": arguments}))["result"].clone()
}

#[track_caller]
fn done(client: &Client, name: &str, arguments: &Value) -> Value {
    let result = call(client, name, arguments);
    assert_eq!(result["isError"], false, "{name}: {result}");
    result["structuredContent"].clone()
}

/// The problem of a tool that failed.
#[track_caller]
fn failed(client: &Client, name: &str, arguments: &Value) -> Value {
    let result = call(client, name, arguments);
    assert_eq!(result["isError"], true, "{name}: {result}");
    let text = result["content"][0]["text"].as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

#[track_caller]
fn fault(answer: Answer, status: u16, code: i32) -> Value {
    let answer = answer.expect_status(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    assert_eq!((&body["jsonrpc"], &body["error"]["code"]), (&json!("2.0"), &json!(code)), "{body}");
    body
}

#[test]
fn a_tool_gives_what_its_route_gives() {
    let client = client();
    let arguments = json!({"session_id": "a/b c", "messages": [
        {"role": "user", "content": "  naïve 日本語 \n", "id": "m1", "metadata": {"n": 1}},
        {"role": "assistant", "content": "two", "id": "m2"}]});
    let stored = done(&client, "store_message", &arguments);
    assert_eq!(stored["messages"][1]["id"], "m2");
    let messages = client.get("/v1/sessions/a%2Fb%20c/messages").expect_status(200).data();
    assert_eq!(messages[0]["content"], "  naïve 日本語 \n");
    let session = done(&client, "get_session", &json!({"session_id": "a/b c"}));
    assert_eq!(session, client.get("/v1/sessions/a%2Fb%20c").json());
    assert_eq!(done(&client, "list_sessions", &json!({"limit": 5}))["data"], json!([session]));
    let saved = done(
        &client,
        "save_to_model_memory",
        &json!({"text": "Ann likes tea", "category": "taste",
        "session_id": "a/b c", "source_message_ids": ["m1"]}),
    );
    assert_eq!((&saved["status"], &saved["text"]), (&json!("saved"), &json!("Ann likes tea")));
    let id = saved["id"].as_str().unwrap();
    assert_eq!(client.get(&format!("/v1/memories/{id}")).json()["category"], "taste");
    let filters = json!({"filters": {"category": {"eq": "taste"}}});
    assert_eq!(done(&client, "list_memories", &filters)["data"][0]["id"], id);
    let filters = json!({"filters": {"category": {"eq": "other"}}});
    assert_eq!(done(&client, "list_memories", &filters)["data"], json!([]));
    let found = done(&client, "search_memories", &json!({"query": "tea", "mode": "keyword"}));
    assert_eq!(found["data"][0]["memory"]["id"], id);
    let changed = done(
        &client,
        "update_memory",
        &json!({"memory_id": id, "text": "Ann likes coffee", "category": null}),
    );
    assert_eq!(
        (&changed["text"], &changed["category"]),
        (&json!("Ann likes coffee"), &Value::Null)
    );
    let context = call(&client, "retrieve_context", &json!({"query": "coffee", "max_tokens": 500}));
    let text = context["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("Ann likes coffee"), "{context}");
    assert_eq!(context["structuredContent"]["context"], text);
    let known = done(&client, "retrieve_user_info", &json!({}));
    assert_eq!(known["memories"][0]["text"], "Ann likes coffee");
    assert_eq!(done(&client, "delete_memory", &json!({"memory_id": id})), json!({"deleted": true}));
    client.get(&format!("/v1/memories/{id}")).problem(404, "not_found");
}

#[test]
fn an_idempotency_key_is_an_argument() {
    let client = client();
    let arguments =
        json!({"session_id": "s", "role": "user", "content": "x", "idempotency_key": "k"});
    let first = done(&client, "store_message", &arguments);
    assert_eq!(
        done(&client, "store_message", &arguments)["messages"][0]["id"],
        first["messages"][0]["id"]
    );
    assert_eq!(client.messages("s").len(), 1);
}

#[test]
fn a_tool_that_fails_gives_the_problem_as_its_result() {
    let client = client();
    for (name, arguments, code) in [
        ("get_session", json!({"session_id": "none"}), "not_found"),
        ("get_session", json!({}), "unprocessable"),
        ("get_session", json!({"session_id": "a", "sesion": "b"}), "unknown_field"),
        ("list_memories", json!({"limit": 5000}), "invalid"),
        (
            "store_message",
            json!({"session_id": "s", "role": "god", "content": "x"}),
            "unprocessable",
        ),
        (
            "get_session",
            json!({"session_id": "s", "user_id": "somebody else"}),
            "contradicting_scope",
        ),
    ] {
        let problem = failed(&client, name, &arguments);
        assert_eq!(problem["code"], code, "{name} {arguments}: {problem}");
        assert!(problem["request_id"].is_string());
    }
    let nobody = Client { user: None, ..client };
    assert_eq!(failed(&nobody, "list_sessions", &json!({}))["code"], "missing_scope");
    let named = done(&nobody, "list_sessions", &json!({"user_id": "mcp nobody else"}));
    assert_eq!(named["data"], json!([]));
}

#[test]
fn the_scope_of_a_user_key_is_its_user() {
    let client = client();
    let (ann, bob) = (fresh("ann"), fresh("bob"));
    let ann_key =
        client.make_key(&json!({"kind": "user", "user_id": ann, "permissions": ["read", "write"]}));
    let ann_client = client.with_key(&ann_key);
    done(
        &ann_client,
        "store_message",
        &json!({"session_id": "s", "role": "user", "content": "mine"}),
    );
    assert_eq!(client.acting_for(&ann).messages("s").len(), 1);
    let other = json!({"session_id": "s", "user_id": bob});
    assert_eq!(failed(&ann_client, "get_session", &other)["code"], "denied");
    let uri = format!("memory://users/{}/profile", bob.replace(' ', "%20"));
    let read = old(&ann_client, "resources/read", &json!({"uri": uri}));
    assert_eq!(read["error"]["code"], -32001, "{read}");
    let role = json!({"session_id": "s", "role": "system", "content": "obey"});
    assert_eq!(failed(&ann_client, "store_message", &role)["code"], "denied");
}

#[test]
fn destructive_tools_are_off_for_user_keys_unless_allowed() {
    let client = client();
    let user = fresh("deleter");
    let wanted =
        json!({"kind": "user", "user_id": user, "permissions": ["read", "write", "delete"]});
    let names = |client: &Client| -> Vec<Value> {
        let tools = old(client, "tools/list", &json!({}));
        tools["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].clone())
            .collect()
    };
    let of_user = client.with_key(&client.make_key(&wanted));
    let saved = done(&of_user, "save_to_model_memory", &json!({"text": "keep me"}));
    assert!(names(&client).contains(&json!("delete_memory")));
    assert!(!names(&of_user).contains(&json!("delete_memory")));
    let arguments = json!({"memory_id": saved["id"]});
    assert_eq!(failed(&of_user, "delete_memory", &arguments)["code"], "denied");
    assert_eq!(done(&of_user, "list_memories", &json!({}))["data"][0]["id"], saved["id"]);

    let settings = holdfast_servers::HostSettings::default().with("mcp_user_deletes", "true");
    let allowed = Client::new(Arc::new(Running::start(settings)));
    let of_user = allowed.with_key(&allowed.make_key(&wanted));
    let saved = done(&of_user, "save_to_model_memory", &json!({"text": "delete me"}));
    assert!(names(&of_user).contains(&json!("delete_memory")));
    done(&of_user, "delete_memory", &json!({"memory_id": saved["id"]}));
    let reader = json!({"kind": "user", "user_id": user, "permissions": ["read", "write"]});
    let reader = allowed.with_key(&allowed.make_key(&reader));
    assert_eq!(failed(&reader, "delete_memory", &json!({"memory_id": "m"}))["code"], "denied");
}

#[test]
fn a_request_without_a_valid_key_learns_where_to_read_about_keys() {
    let client = client();
    let bodies =
        [message("tools/list", &json!({})), message("initialize", &json!({})), "{".to_owned()];
    for key in
        [None, Some("hf_default.root.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned())]
    {
        let stranger = Client { key, ..client.clone() };
        for body in &bodies {
            let answer = stranger.post(PATH, body);
            answer.problem(401, "unauthenticated");
            let how = answer.header("www-authenticate").unwrap();
            let url = how.split('"').nth(3).unwrap();
            assert!(how.starts_with("Bearer ") && how.contains("resource_metadata=\""), "{how}");
            let path = url.strip_prefix(&client.running.host.url).unwrap();
            let told = stranger.get(path).expect_status(200).json();
            assert_eq!(told["resource"], format!("{}{PATH}", client.running.host.url));
            assert_eq!(told["bearer_methods_supported"], json!(["header"]));
        }
    }
    let proxied = Client { key: None, ..client.clone() };
    let answer = proxied.post_with(PATH, ("X-Forwarded-Proto", "https"), "{}");
    assert!(answer.header("www-authenticate").unwrap().contains("=\"https://"));
    let plain = client.get("/.well-known/oauth-protected-resource").expect_status(200).json();
    assert!(plain["resource"].as_str().unwrap().ends_with(PATH));
    client.post("/.well-known/oauth-protected-resource", "{}").problem(405, "method_not_allowed");
    client.get("/.well-known/oauth-protected-resource/other").problem(404, "no_route");
}

#[test]
fn pages_of_other_origins_may_not_ask() {
    let client = client();
    let body = message("tools/list", &json!({}));
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
    ] {
        client.post_with(PATH, ("Origin", origin), &body).problem(403, "denied");
    }
    for origin in ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"] {
        client.post_with(PATH, ("Origin", origin), &body).expect_status(200);
    }
    let settings = holdfast_servers::HostSettings::default()
        .with("mcp_origins", "https://a.example, https://b.example");
    let named = Client::new(Arc::new(Running::start(settings)));
    named.post_with(PATH, ("Origin", "https://b.example"), &body).expect_status(200);
    named.post_with(PATH, ("Origin", "https://c.example"), &body).problem(403, "denied");
}

#[test]
fn what_is_no_message_is_refused() {
    let client = client();
    for (body, status, code) in [
        ("{", 400, -32700),
        ("", 400, -32700),
        ("\u{0}", 400, -32700),
        ("[]", 400, -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, 400, -32600),
        ("7", 400, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 400, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, 400, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#, 200, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#, 400, -32602),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"no_such"}}"#,
            200,
            -32602,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}"#, 200, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}"#, 200, -32602),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"memory://sessions/none"}}"#,
            200,
            -32002,
        ),
    ] {
        let answer = client.send("POST", PATH, &[], Some(body.as_bytes()));
        fault(answer, status, code);
    }
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}"#,
        "[".repeat(100_000)
    );
    fault(client.post(PATH, &deep), 400, -32700);
    let bytes = client.send("POST", PATH, &[], Some(b"{\"jsonrpc\":\"2.0\",\"id\":\"\xff\"}"));
    fault(bytes, 400, -32700);
}

#[test]
fn other_methods_and_types_are_refused() {
    let client = client();
    for method in ["GET", "DELETE", "PUT"] {
        let answer = client.send(method, PATH, &[], None);
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let text = client.post_with(PATH, ("Content-Type", "text/plain"), &message("ping", &json!({})));
    text.problem(415, "unsupported_media_type");
    client.post("/mcp/more", "{}").problem(404, "no_route");
}

#[test]
fn a_huge_body_is_refused_and_a_large_message_is_not() {
    let client = client();
    let large = "x".repeat(1_000_000);
    let stored = done(
        &client,
        "store_message",
        &json!({"session_id": "s", "role": "user", "content": large}),
    );
    assert_eq!(stored["indexed"], true);
    let huge = json!({"name": "store_message", "arguments": {"session_id": "s", "content": "x".repeat(9 << 20)}});
    client.post(PATH, &message("tools/call", &huge)).problem(413, "too_large");
    let over = json!({"session_id": "s", "role": "user", "content": "x".repeat(1_100_000)});
    let problem = failed(&client, "store_message", &over);
    assert!(
        problem["status"].as_u64().is_some_and(|status| status == 422 || status == 413),
        "{problem}"
    );
}

#[test]
fn notifications_are_taken_and_answered_with_nothing() {
    let client = client();
    for (method, headers) in [
        ("notifications/initialized", vec![]),
        ("notifications/initialized", vec![("MCP-Protocol-Version", "2025-11-25")]),
        ("notifications/cancelled", vec![("MCP-Protocol-Version", NEW)]),
        ("tools/call", vec![]),
    ] {
        let body = json!({"jsonrpc": "2.0", "method": method}).to_string();
        let answer = client.send("POST", PATH, &headers, Some(body.as_bytes())).expect_status(202);
        assert_eq!(answer.text, "");
    }
    let body = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    let answer = client.post_with(PATH, ("MCP-Protocol-Version", "1900-01-01"), &body);
    fault(answer, 400, -32022);
}

#[test]
fn the_handshake_of_older_revisions_is_answered_without_a_session() {
    let client = client();
    for (wanted, spoken) in
        [("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2024-11-05", "2025-11-25")]
    {
        let params = json!({"protocolVersion": wanted, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}});
        let answer = client.post(PATH, &message("initialize", &params)).expect_status(200);
        assert_eq!(answer.header("mcp-session-id"), None);
        let result = answer.json()["result"].clone();
        assert_eq!(
            (&result["protocolVersion"], &result["serverInfo"]["name"]),
            (&json!(spoken), &json!("holdfast"))
        );
    }
    assert_eq!(old(&client, "ping", &json!({}))["result"], json!({}));
    let answer = client.post_with(
        PATH,
        ("MCP-Protocol-Version", "1900-01-01"),
        &message("ping", &json!({})),
    );
    let told = fault(answer, 400, -32022);
    assert_eq!(
        told["error"]["data"],
        json!({"supported": [NEW, "2025-11-25", "2025-06-18"], "requested": "1900-01-01"})
    );
}

#[test]
fn a_request_of_2026_07_28_needs_no_handshake() {
    let client = client();
    let listed =
        new(&client, "tools/list", None, &json!({})).expect_status(200).json()["result"].clone();
    assert_eq!(
        (&listed["resultType"], &listed["cacheScope"]),
        (&json!("complete"), &json!("private"))
    );
    assert_eq!(listed["tools"].as_array().unwrap().len(), 11);
    for tool in listed["tools"].as_array().unwrap() {
        assert_eq!(
            (&tool["inputSchema"]["type"], &tool["outputSchema"]["type"]),
            (&json!("object"), &json!("object"))
        );
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{tool}");
        }
    }
    let arguments = json!({"name": "list_sessions", "arguments": {}});
    let called =
        new(&client, "tools/call", Some("list_sessions"), &arguments).expect_status(200).json();
    assert_eq!(called["result"]["structuredContent"]["data"], json!([]));
    let templates =
        new(&client, "resources/templates/list", None, &json!({})).expect_status(200).json();
    assert_eq!(templates["result"]["resourceTemplates"].as_array().unwrap().len(), 2);
    for method in ["initialize", "ping", "prompts/list", "subscriptions/listen"] {
        fault(new(&client, method, None, &json!({})), 404, -32601);
    }
    let uri = "memory://sessions/none";
    let none = fault(new(&client, "resources/read", Some(uri), &json!({"uri": uri})), 400, -32602);
    assert_eq!(none["error"]["data"]["code"], "not_found");
}

#[test]
fn headers_that_differ_from_the_body_are_refused() {
    let client = client();
    let params = json!({"name": "list_sessions", "arguments": {}, "_meta": meta()});
    let body = message("tools/call", &params);
    let (version, method, name) = (
        ("MCP-Protocol-Version", NEW),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "list_sessions"),
    );
    for (headers, code) in [
        (vec![version, method], -32020),
        (vec![version, name], -32020),
        (vec![method, name], -32020),
        (vec![version, method, ("Mcp-Name", "get_session")], -32020),
        (vec![version, method, name, ("Mcp-Name", "get_session")], -32020),
        (vec![version, ("Mcp-Method", "TOOLS/CALL"), name], -32020),
        (vec![("MCP-Protocol-Version", "2025-11-25"), method, name], -32020),
    ] {
        fault(client.send("POST", PATH, &headers, Some(body.as_bytes())), 400, code);
    }
    let wrapped = ("Mcp-Name", "=?base64?bGlzdF9zZXNzaW9ucw==?=");
    client
        .send("POST", PATH, &[version, method, wrapped], Some(body.as_bytes()))
        .expect_status(200);
    let body = body.replace(NEW, "2099-01-01");
    let headers = [("MCP-Protocol-Version", "2099-01-01"), method, name];
    fault(client.send("POST", PATH, &headers, Some(body.as_bytes())), 400, -32022);
}

#[test]
fn resources_are_read_whatever_the_ids_hold() {
    let client = client();
    let user = client.user.clone().unwrap();
    let message = json!({"session_id": "ä/b?", "role": "user", "content": "hello", "id": "m"});
    done(&client, "store_message", &message);
    done(&client, "save_to_model_memory", &json!({"text": "Ann likes tea"}));
    let uri = "memory://sessions/%C3%A4%2Fb%3F";
    let read = old(&client, "resources/read", &json!({"uri": uri}))["result"]["contents"].clone();
    let text = |content: &Value| -> Value {
        serde_json::from_str(content["text"].as_str().unwrap()).unwrap()
    };
    assert_eq!((&read[0]["uri"], &text(&read[0])["id"]), (&json!(uri), &json!("ä/b?")));
    assert_eq!(text(&read[1])["data"][0]["content"], "hello");
    let service = Client { user: None, ..client.clone() };
    let named = format!("{uri}?user_id={user}");
    assert!(old(&service, "resources/read", &json!({"uri": named}))["result"].is_object());
    let nameless = old(&service, "resources/read", &json!({"uri": uri}));
    assert_eq!(nameless["error"]["data"]["code"], "missing_scope");
    let uri = format!("memory://users/{user}/profile");
    let profile =
        old(&service, "resources/read", &json!({"uri": uri}))["result"]["contents"][0].clone();
    assert_eq!(text(&profile)["memories"][0]["text"], "Ann likes tea");
}

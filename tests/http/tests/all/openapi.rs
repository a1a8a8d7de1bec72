//! `/openapi.json` names every route with its methods, and `/docs` shows it without loading anything from elsewhere.

use holdfast_http_tests::{Client, by_words};
use serde_json::Value;
use std::collections::BTreeSet;

fn document(client: &Client) -> Value {
    client.get("/openapi.json").expect_status(200).json()
}

#[test]
fn each_path_takes_the_methods_that_the_description_names_and_no_others() {
    let client = Client::new(by_words());
    let document = document(&client);
    let paths = document["paths"].as_object().unwrap();
    for path in paths.keys() {
        // `/v1/memories/batch` is what a memory of that id would be, too.
        let same = |(other, _): &(&String, &Value)| {
            let (one, other): (Vec<&str>, Vec<&str>) =
                (path.split('/').collect(), other.split('/').collect());
            let alike = |(one, other): (&&str, &&str)| one == other || other.starts_with('{');
            one.len() == other.len() && one.iter().zip(&other).all(alike)
        };
        let methods =
            paths.iter().filter(same).flat_map(|(_, item)| item.as_object().unwrap().keys());
        let named: BTreeSet<String> = methods.map(|method| method.to_uppercase()).collect();
        let filled = path.replace("{type}", "project").replace(['{', '}'], "");
        let answer = client.send("BREW", &filled, &[], None);
        let allowed = answer.header("allow").unwrap_or_default();
        let allowed: BTreeSet<String> = allowed.split(", ").map(str::to_owned).collect();
        assert_eq!(allowed, named, "{path}: {} {}", answer.status, answer.text);
    }
}

#[test]
fn every_route_of_the_manifest_is_described() {
    let client = Client::new(by_words());
    let document = document(&client);
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    let manifest = std::fs::read_to_string(holdfast_http_tests::root().join("spin.toml")).unwrap();
    let routes = manifest.lines().filter_map(|line| line.strip_prefix("route = "));
    // MCP describes itself.
    for route in
        routes.map(|route| route.trim_matches('"')).filter(|route| route.starts_with("/v1"))
    {
        let fixed: Vec<&str> = route.trim_end_matches("/...").split('/').collect();
        let describes = |path: &&&String| {
            let parts: Vec<&str> = path.split('/').collect();
            parts.len() >= fixed.len()
                && parts
                    .iter()
                    .zip(&fixed)
                    .all(|(part, fixed)| part == fixed || fixed.starts_with(':'))
        };
        assert!(paths.iter().any(|path| describes(&path)), "{route} is not described");
    }
}

#[test]
fn the_page_is_served_whole() {
    let client = Client::new(by_words());
    assert_eq!(client.get("/docs").expect_status(308).header("location").unwrap(), "/docs/");
    let page = client.get("/docs/").expect_status(200);
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let mut files = 0;
    for part in
        page.text.split(['"', '\'']).filter(|part| part.ends_with(".js") || part.ends_with(".css"))
    {
        assert!(!part.contains("//"), "{part} is elsewhere");
        client.get(&format!("/docs/{}", part.trim_start_matches("./"))).expect_status(200);
        files += 1;
    }
    assert!(files >= 3, "{}", page.text);
    assert!(client.get("/docs/swagger-initializer.js").text.contains("/openapi.json"));
    client.send("POST", "/docs/", &[], None).problem(405, "method_not_allowed");
}

//! Cases of the manifest reader: what Spin takes and what it refuses.

use super::*;

const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"t\"\n";

fn parse(text: &str) -> Result<Manifest> {
    Manifest::parse(text, Path::new("/app"), &BTreeMap::new())
}

fn refusal(body: &str) -> String {
    match parse(&format!("{HEAD}{body}")) {
        Ok(_) => panic!("accepted: {body}"),
        Err(error) => format!("{error:#}"),
    }
}

const WHOLE: &str = r#"
spin_manifest_version = 2
[application]
name = "holdfast"
version = "0.1.0"
description = "memory"
authors = ["someone"]
targets = [{ path = "env.toml" }, "spin-up:4.0"]
[application.tool.x]
any = 1
[variables]
s3_endpoint = { default = "http://localhost:9000" }
model_origin = { default = "" }
secret_key = { required = true, secret = true }
[[trigger.http]]
id = "a"
route = "/v1/..."
component = "store-message"
[[trigger.http]]
route = { private = true }
component = "store-message"
executor = { type = "http" }
[[trigger.http]]
route = "/hello"
static_response = { status_code = 202, headers = { a = "b" }, body = "hi" }
[component.store-message]
source = "a.wasm"
description = "stores"
allowed_outbound_hosts = ["{{ s3_endpoint }}", "{{ model_origin }}"]
dependencies_inherit_configuration = true
targets = [{ url = "http://x/y.toml" }]
environment = { A = "B" }
[component.store-message.variables]
endpoint = "{{ s3_endpoint }}/x"
key = "{{secret_key}}"
[component.store-message.build]
command = ["cargo build"]
workdir = "."
watch = ["src"]
[component.store-message.tool.y]
z = true
[component.store-message.dependencies]
"holdfast:index@0.1.0" = { path = "index.wasm" }
"holdfast:models@0.1.0" = { component = "remote-models", inherit_configuration = ["variables"] }
[component.remote-models]
source = "m.wasm"
"#;

#[test]
fn every_supported_key_is_read() {
    let values = BTreeMap::from([("secret_key".to_owned(), "k".to_owned())]);
    let manifest = Manifest::parse(WHOLE, Path::new("/app"), &values).unwrap();
    assert_eq!(manifest.name, "holdfast");
    assert_eq!(manifest.secrets, ["secret_key"]);
    let routes: Vec<_> = manifest.triggers.iter().map(|t| t.route.as_deref()).collect();
    assert_eq!(routes, [Some("/v1/..."), None, Some("/hello")]);
    let component = &manifest.components["store-message"];
    assert_eq!(component.source, Path::new("/app/a.wasm"));
    assert_eq!(component.variables["endpoint"], "http://localhost:9000/x");
    assert_eq!(component.variables["key"], "k");
    assert!(component.allow.check(&"http://localhost:9000/b".parse().unwrap()).is_ok());
    assert!(component.allow.check(&"http://localhost:9001/b".parse().unwrap()).is_err());
    assert_eq!(component.environment["A"], "B");
    let [index, models] = component.dependencies.as_slice() else { panic!() };
    assert_eq!((&*index.name, &index.inherit), ("holdfast:index@0.1.0", &Inherit::All));
    assert_eq!(models.source, Path::new("/app/m.wasm"));
    assert!(models.inherit.includes("variables") && !models.inherit.includes("environment"));
}

#[test]
fn what_spin_refuses_is_refused_with_its_place() {
    let component = "[component.a]\nsource = \"a.wasm\"\n";
    let trigger = "[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\n";
    for (body, words) in [
        ("colour = 1\n".to_owned(), "colour"),
        (format!("[oops]\nx = 1\n{trigger}{component}"), "oops"),
        (component.into(), "trigger"),
        (format!("{trigger}{component}colour = 1\n"), "colour"),
        (
            format!("{trigger}colour = 1\n{component}"),
            "[[trigger.http]] number 1: unknown field `colour`",
        ),
        (trigger.into(), "there is no [component.a]"),
        (format!("{trigger}[component.a_b]\nsource = \"a\"\n"), "a_b"),
        (format!("{trigger}[component.a]\nsource = 1\n"), "[component.a]: source"),
        (format!("[variables]\nA-b = {{ default = \"\" }}\n{trigger}{component}"), "A-b"),
        (format!("[variables]\na = {{ }}\n{trigger}{component}"), "required = true or a default"),
        (format!("[variables]\na = {{ required = true }}\n{trigger}{component}"), "no value"),
        (format!("[variables]\na = {{ default = \"\", x = 1 }}\n{trigger}{component}"), "x"),
        (format!("{trigger}{component}variables = {{ B = \"\" }}\n"), "lower case"),
        (format!("{trigger}{component}variables = {{ b = \"{{{{ c }}}}\" }}\n"), "variables.b"),
        (format!("{trigger}{component}variables = {{ b = \"{{{{ c\" }}\n"), "without }}"),
        (format!("{trigger}{component}allowed_outbound_hosts = [\"example.com\"]\n"), "no scheme"),
        (format!("{trigger}{component}files = [\"*\"]\n"), "files: this host"),
        (format!("{trigger}{component}key_value_stores = [\"default\"]\n"), "key_value_stores"),
        (format!("{trigger}{component}allowed_http_hosts = [\"x\"]\n"), "deprecated"),
        (format!("{trigger}{component}dependencies = {{ \"a:b\" = \"1.0\" }}\n"), "registries"),
        (format!("{trigger}{component}dependencies = {{ \"a:b\" = {{ x = 1 }} }}\n"), "x"),
        (
            format!(
                "{trigger}{component}dependencies = {{ \"a:b/c\" = {{ path = \"x\" }}, \"a:b/d\" = {{ path = \"y\" }} }}\n"
            ),
            "one package",
        ),
        (format!("[[trigger.redis]]\nchannel = \"x\"\n{component}"), "http triggers only"),
        (format!("[[trigger.http]]\ncomponent = \"a\"\n{component}"), "route"),
        (
            format!(
                "[[trigger.http]]\nroute = {{ private = false }}\ncomponent = \"a\"\n{component}"
            ),
            "private",
        ),
        (format!("[[trigger.http]]\nroute = \"/\"\n{component}"), "give a component"),
    ] {
        let error = refusal(&body);
        assert!(error.contains(words), "{body}\n→ {error}");
    }
    let one = "spin_manifest_version = 1\n[application]\nname = \"t\"\n[trigger]\n";
    assert!(format!("{:#}", parse(one).err().unwrap()).contains("only 2 is known"));
}

#[test]
fn an_unknown_variable_from_outside_is_refused_with_the_nearest_name() {
    let values = BTreeMap::from([("s3_endpont".to_owned(), "x".to_owned())]);
    let error = Manifest::parse(WHOLE, Path::new("/app"), &values).err().unwrap();
    assert!(format!("{error:#}").contains("did you mean \"s3_endpoint\""), "{error:#}");
}

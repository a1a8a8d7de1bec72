//! A dependency: answers one function of `test:greeter/greetings`.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, reason = "generated from WIT")]

wit_bindgen::generate!({ path: "../wit", world: "greeter" });

struct Greeter;

impl exports::test::greeter::greetings::Guest for Greeter {
    async fn greet(name: String) -> String {
        format!("hello, {name}")
    }
}

export!(Greeter);

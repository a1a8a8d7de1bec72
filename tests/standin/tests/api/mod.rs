//! A little OpenAI-compatible API of embeddings and of chat that counts its calls, and answers as badly as it is told to.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Well,
    Shuffled,
    Slow,
    Refuses,
    Garbage,
    WrongDimensions,
    TooFew,
    Zero,
    /// The answer of another API: JSON, and a text is in it.
    Dialect,
    /// What looks like JSON.
    NoJson,
    /// A text that is longer than was asked for.
    TooLong,
    /// A text that breaks off.
    CutOff,
    /// A body without an end.
    Endless,
    /// Closes every connection in place of an answer.
    Closes,
    /// Only the first.
    ClosesFirst,
}

/// Those that give no summary.
pub const ERRING: [Manner; 11] = [
    Manner::Slow,
    Manner::Refuses,
    Manner::Garbage,
    Manner::TooFew,
    Manner::Zero,
    Manner::Dialect,
    Manner::NoJson,
    Manner::TooLong,
    Manner::CutOff,
    Manner::Endless,
    Manner::Closes,
];

/// One request that it got.
#[derive(Debug, Clone)]
pub struct Call {
    pub authorization: Option<String>,
    pub content_length: bool,
    pub body: Value,
}

pub struct Api {
    pub origin: String,
    manner: Arc<Mutex<Manner>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Api {
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let manner = Arc::new(Mutex::new(manner));
        let (noted, told) = (calls.clone(), manner.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (noted, manner) = (noted.clone(), *told.lock().unwrap());
                std::thread::spawn(move || serve(stream, manner, &noted));
            }
        });
        Self { origin, manner, calls }
    }

    /// It answers otherwise from now on, and counts anew.
    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
        self.calls.lock().unwrap().clear();
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, manner: Manner, calls: &Mutex<Vec<Call>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" if line.is_empty() => return None,
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let chat = head[0].starts_with("POST /v1/chat/completions ");
    assert!(chat || head[0].starts_with("POST /v1/embeddings "), "{head:?}");
    let header = |name: &str| {
        let found = head.iter().filter_map(|line| line.split_once(": "));
        found.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()).next()
    };
    let length: Option<usize> = header("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let number = {
        let mut calls = calls.lock().unwrap();
        let authorization = header("authorization");
        calls.push(Call { authorization, content_length: length.is_some(), body: body.clone() });
        calls.len()
    };
    match manner {
        Manner::Closes => return None,
        Manner::ClosesFirst if number == 1 => return None,
        Manner::Slow => std::thread::sleep(Duration::from_secs(4)),
        Manner::Endless => return endless(&mut stream),
        _ => {}
    }
    let (status, text) = if chat { said(manner, &body) } else { answer(manner, &body) };
    let length = text.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all((head + &text).as_bytes()).ok()
}

fn endless(stream: &mut TcpStream) -> Option<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").ok()?;
    loop {
        stream.write_all(&[b' '; 65_536]).ok()?;
    }
}

/// As Anthropic's API says it.
fn dialect() -> String {
    let content = json!([{"type": "text", "text": "in short"}]);
    let usage = json!({"input_tokens": 9, "output_tokens": 3});
    json!({"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn", "usage": usage})
        .to_string()
}

fn refusal() -> (u16, String) {
    (429, json!({"error": {"message": "slow down"}}).to_string())
}

/// A completion that says how many messages it read.
fn said(manner: Manner, body: &Value) -> (u16, String) {
    let lines = body["messages"][1]["content"].as_str().unwrap_or_default().lines().count();
    let content = match manner {
        Manner::Zero => Value::Null,
        Manner::TooLong => "too long ".repeat(20_000).into(),
        _ => format!("{lines} messages in short").into(),
    };
    let reason = if manner == Manner::CutOff { "length" } else { "stop" };
    let mut choices = vec![
        json!({"message": {"role": "assistant", "content": content}, "finish_reason": reason}),
    ];
    match manner {
        Manner::Refuses => return refusal(),
        Manner::Garbage => return (200, r#"{"choices": {"message": "in short"}}"#.to_owned()),
        Manner::Dialect => return (200, dialect()),
        Manner::NoJson => return (200, "{'choices': [{'message': {'content': 'short'}}]}".into()),
        Manner::TooFew => choices.clear(),
        _ => {}
    }
    let usage = json!({"prompt_tokens": 10 * lines, "completion_tokens": 5});
    (200, json!({"object": "chat.completion", "choices": choices, "usage": usage}).to_string())
}

fn answer(manner: Manner, body: &Value) -> (u16, String) {
    let texts = body["input"].as_array().cloned().unwrap_or_default();
    let mut data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = vector(manner, text.as_str().unwrap_or_default());
            json!({"object": "embedding", "index": index, "embedding": vector})
        })
        .collect();
    match manner {
        Manner::Refuses => return refusal(),
        Manner::Garbage => return (200, "<html>".to_owned()),
        Manner::TooFew => drop(data.pop()),
        Manner::Shuffled => data.reverse(),
        _ => {}
    }
    (200, json!({"object": "list", "data": data, "model": body["model"]}).to_string())
}

/// By the first letter of what is said, after the speaker.
fn vector(manner: Manner, text: &str) -> Vec<f32> {
    let said = text.rsplit(": ").next().unwrap_or_default();
    let letter = usize::from(said.bytes().next().unwrap_or(0)) % 8;
    let count = if manner == Manner::WrongDimensions { 7 } else { 8 };
    let size = if manner == Manner::Zero { 0.0 } else { 2.5 };
    (0..count).map(|at| if at == letter { size } else { 0.0 }).collect()
}

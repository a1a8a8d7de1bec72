//! Tool calls between LangChain's form (`name`, `args`) and OpenAI's (`function`, arguments as text).

use crate::original::{ObjectText, array};
use crate::{json, training};

/// One tool call, of either form.
struct Call<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    args: Args<'a>,
}

enum Args<'a> {
    /// JSON of an object.
    Object(&'a str),
    /// Arguments as the model wrote them.
    Text(String),
}

impl<'a> Call<'a> {
    fn read(text: &'a str) -> Self {
        let function = json::field(text, "function").filter(|function| function.starts_with('{'));
        let (from, arguments) = match function {
            Some(function) => (function, json::field(function, "arguments")),
            None => (text, json::field(text, "args").or_else(|| json::field(text, "arguments"))),
        };
        let args = match arguments {
            Some(json) if json.starts_with('{') => Args::Object(json),
            Some(json) => Args::Text(json::string(json).unwrap_or_else(|| json.to_owned())),
            None => Args::Object("{}"),
        };
        Self { id: json::field(text, "id"), name: json::field(from, "name"), args }
    }
}

/// `tool_calls` and `invalid_tool_calls` in LangChain's form.
pub(crate) fn langchain(calls: &str) -> (String, String) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for text in json::items(calls).unwrap_or_default() {
        let call = Call::read(text.get());
        let args = match &call.args {
            Args::Object(json) => Some((*json).to_owned()),
            Args::Text(text) => serde_json::from_str::<&serde_json::value::RawValue>(text)
                .ok()
                .map(|value| value.get().to_owned())
                .filter(|json| json.starts_with('{')),
        };
        let mut object = ObjectText::default();
        object.raw("name", call.name.unwrap_or("null"));
        match (args, &call.args) {
            (Some(args), _) if call.name.is_some_and(|name| name.starts_with('"')) => {
                object.raw("args", &args);
                object.raw("id", call.id.unwrap_or("null"));
                object.text("type", "tool_call");
                good.push(object.end());
            }
            (_, Args::Object(args)) => bad.push(invalid(object, &call, args)),
            (_, Args::Text(args)) => bad.push(invalid(object, &call, args)),
        }
    }
    (array(good), array(bad))
}

fn invalid(mut object: ObjectText, call: &Call<'_>, args: &str) -> String {
    object.text("args", args);
    object.raw("id", call.id.unwrap_or("null"));
    object.raw("error", "null");
    object.text("type", "invalid_tool_call");
    object.end()
}

/// `tool_calls` in OpenAI's form.
pub(crate) fn openai(calls: &str) -> String {
    array(json::items(calls).unwrap_or_default().into_iter().map(|text| {
        if json::field(text.get(), "args").is_none() {
            return text.get().to_owned();
        }
        let call = Call::read(text.get());
        let mut function = ObjectText::default();
        function.raw("name", call.name.unwrap_or("null"));
        match &call.args {
            Args::Object(json) => function.text("arguments", json),
            Args::Text(text) => function.text("arguments", text),
        }
        let mut object = ObjectText::default();
        object.raw("id", call.id.unwrap_or("null"));
        object.text("type", "function");
        object.raw("function", &function.end());
        object.end()
    }))
}

/// Calls that have an id, a name and an object of arguments, and how many have not.
pub(crate) fn sound(calls: &str) -> (Vec<training::Call>, usize) {
    let all = json::items(calls).unwrap_or_default();
    let count = all.len();
    let sound: Vec<_> = all.into_iter().filter_map(|call| sound_call(call.get())).collect();
    let bad = count - sound.len();
    (sound, bad)
}

fn sound_call(text: &str) -> Option<training::Call> {
    let call = Call::read(text);
    let arguments = match call.args {
        Args::Object(json) => json.to_owned(),
        Args::Text(text) => text,
    };
    let is_object = json::fields(&arguments).is_some();
    let string = |json: Option<&str>| json.and_then(json::string).filter(|text| !text.is_empty());
    let (id, name) = (string(call.id)?, string(call.name)?);
    is_object.then(|| training::Call { id, name, arguments: json::compact(&arguments) })
}

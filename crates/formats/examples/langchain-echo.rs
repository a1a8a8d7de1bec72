//! Reads a LangChain array from standard input, stores it as the bytes of a journal object, reads those again and writes
//! the array: what `tests/formats/langchain_roundtrip.py` drives where no server runs.

use holdfast_core::fold::View;
use holdfast_core::message::Message;
use holdfast_core::message::MessageBody;
use holdfast_core::record::{Header, Kind, Record, Stamp, VERSION, WalObject, Writer, WriterKind};
use holdfast_core::{Error, Hlc, Result, SessionId};
use holdfast_formats::{Limits, NewMessage, Stored, langchain};
use std::io::{Read, Write};
use ulid::Ulid;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    std::io::stdout().write_all(echo(&body)?.as_bytes())?;
    Ok(())
}

fn echo(body: &[u8]) -> Result<String> {
    let messages = langchain::read(body, &Limits::default())?.all()?;
    let ulid = Ulid(1);
    let object = WalObject::decode(&written(messages)?)?;
    let mut view = View::default();
    let places = object.records.iter().enumerate();
    view.apply(places.map(|(at, record)| (record, WalObject::order(record, ulid, at))))?;
    let (found, _) = view.page("echo", None, usize::MAX, false);
    let texts = found.iter().map(|f| serde_json::from_str(&f.entry.text));
    let messages: Vec<Message> = texts
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| Error::corrupt("text").caused_by(e))?;
    let stored = found.iter().zip(&messages).map(|(found, message)| Stored::new(found, message));
    Ok(langchain::langchain_array(stored, false))
}

fn written(messages: Vec<NewMessage>) -> Result<Vec<u8>> {
    let session = SessionId::parse("echo")?;
    let by = Writer { kind: WriterKind::Service, key: "echo".to_owned() };
    let stamp = Stamp { at: Hlc::at(0), by };
    let record = |(at, new): (usize, NewMessage)| {
        let body = MessageBody::new(new.message, Vec::new())?.encode()?;
        Ok(Record::new(Kind::Message, &format!("m{at}"), &session, &stamp, body))
    };
    let records = messages.into_iter().enumerate().map(record).collect::<Result<_>>()?;
    WalObject { header: Header { v: VERSION, ..Header::default() }, records }.encode()
}

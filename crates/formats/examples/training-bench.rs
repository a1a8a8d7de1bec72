//! Messages a second into lines and rows: `cargo run -p holdfast-formats --example training-bench -- [messages]`.

use holdfast_core::message::{Message, Role};
use holdfast_core::{Hlc, Order};
use holdfast_formats::Stored;
use holdfast_formats::anonymize::Anonymizer;
use holdfast_formats::training::{
    Cutter, Format, Limits, Report, Said, TableWriter, Verdicts, Window, examples, rows,
};
use std::time::Instant;

const TURNS: usize = 10;

fn main() -> holdfast_core::Result<()> {
    let count: usize =
        std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let sessions = count / (2 * TURNS);
    for format in [Format::Openai, Format::TrlSft, Format::Sharegpt, Format::Alpaca] {
        let (begun, mut bytes) = (Instant::now(), 0);
        for session in 0..sessions {
            for example in
                examples(format, &window(session, None), &Verdicts::new(), &mut Report::default())
            {
                bytes += example.line.len();
            }
        }
        say(format.name(), count, bytes, begun);
    }
    let (begun, mut table, mut open) = (Instant::now(), TableWriter::new()?, Vec::new());
    for session in 0..sessions {
        open.extend(rows(&window(session, None), &Verdicts::new(), &mut Report::default()));
        if open.len() == 1_000 {
            table.push(&open)?;
            open.clear();
        }
    }
    table.push(&open)?;
    say("parquet", count, table.finish()?.len(), begun);
    let (begun, mut bytes) = (Instant::now(), 0);
    let mut clean = Anonymizer::new(b"key", ["Ada Lovelace"]);
    for session in 0..sessions {
        bytes += window(session, Some(&mut clean))
            .said
            .iter()
            .map(|said| said.text.len())
            .sum::<usize>();
    }
    say("anonymised only", count, bytes, begun);
    Ok(())
}

fn say(what: &str, count: usize, bytes: usize, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "figures")]
    let rate = count as f64 / seconds;
    println!("{what}: {rate:.0} messages/s, {bytes} bytes, {seconds:.2} s");
}

fn window(session: usize, mut clean: Option<&mut Anonymizer>) -> Window {
    let mut report = Report::default();
    let mut cutter = Cutter::new(Limits::default(), "ann", "s", None);
    for at in 0..2 * TURNS {
        let role = if at.is_multiple_of(2) { Role::User } else { Role::Assistant };
        let text = format!(
            "Message {at} of session {session}: the harbour froze in the winter of 1987 and the boats stayed where \
             they were until the ice broke; write to keeper{session}@harbour.example or ask Ada Lovelace about it."
        );
        let message = Message::saying(role, text);
        let order = Order { hlc: Hlc::at(1), ulid: ulid::Ulid(1), position: 0 };
        let id = format!("m{at}");
        let stored = Stored {
            id: &id,
            conflict_of: None,
            index: 1,
            order,
            restored_from: None,
            message: &message,
        };
        if let Some(mut said) = Said::of(&stored, true, &mut report) {
            if let Some(clean) = clean.as_deref_mut() {
                clean.said(&mut said);
            }
            cutter.push(said, &mut report);
        }
    }
    cutter.finish().unwrap_or(Window {
        user: String::new(),
        session: String::new(),
        tools: None,
        said: Vec::new(),
    })
}

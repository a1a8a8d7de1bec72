//! Hugging Face parquet: a row a conversation, nested messages, the same fields in every row.
//!
//! Values are shredded into columns by the record-shredding rules of Dremel (repetition and definition levels), which is
//! what the column writers of `parquet` take without Arrow. (parquet.apache.org/docs/file-format/nestedencoding)

use super::mend::{Rules, mended};
use super::rated::Verdicts;
use super::report::Report;
use super::said::{Call, Said};
use super::window::Window;
use holdfast_core::{Error, Result};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const SCHEMA: &str = "
message conversations {
  required binary user_id (UTF8);
  required binary session_id (UTF8);
  required group messages (LIST) {
    repeated group list {
      required group element {
        required binary role (UTF8);
        required binary content (UTF8);
        optional binary name (UTF8);
        optional group tool_calls (LIST) {
          repeated group list {
            required group element {
              required binary id (UTF8);
              required binary type (UTF8);
              required group function {
                required binary name (UTF8);
                required binary arguments (UTF8);
              }
            }
          }
        }
        optional binary tool_call_id (UTF8);
      }
    }
  }
  required group message_ids (LIST) {
    repeated group list {
      required binary element (UTF8);
    }
  }
  optional binary tools (UTF8);
}";

const RULES: Rules = Rules {
    keep_bad: false,
    system_anywhere: true,
    repeats: true,
    no_tools: false,
    trailing: false,
};

/// One conversation, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Whose.
    pub user: String,
    /// Its session.
    pub session: String,
    /// What is said.
    pub said: Vec<Said>,
    /// JSON text of the assistant's tools.
    pub tools: Option<String>,
}

/// The rows of a part of a session: one, or none when nobody answers.
pub fn rows(window: &Window, verdicts: &Verdicts, report: &mut Report) -> Vec<Row> {
    let said = mended(&window.said, verdicts, &RULES, report);
    if said.is_empty() {
        return Vec::new();
    }
    report.examples += 1;
    let (user, session) = (window.user.clone(), window.session.clone());
    vec![Row { user, session, said, tools: window.tools.clone() }]
}

/// A parquet file that is being written.
pub struct TableWriter(SerializedFileWriter<Vec<u8>>);

impl TableWriter {
    /// A file without rows.
    ///
    /// # Errors
    /// `internal`, never seen.
    pub fn new() -> Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(writing)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("holdfast".to_owned())
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties));
        writer.map(Self).map_err(writing)
    }

    /// Writes rows, as a row group of their own: give it a few megabytes at a time.
    ///
    /// # Errors
    /// `internal`, never seen.
    pub fn push(&mut self, rows: &[Row]) -> Result<()> {
        let mut leaves = shredded(rows).into_iter();
        let mut group = self.0.next_row_group().map_err(writing)?;
        while let Some(mut column) = group.next_column().map_err(writing)? {
            let leaf = leaves.next().unwrap_or_default();
            let writer = column.typed::<ByteArrayType>();
            writer
                .write_batch(&leaf.values, Some(&leaf.defined), Some(&leaf.repeated))
                .map_err(writing)?;
            column.close().map_err(writing)?;
        }
        group.close().map_err(writing)?;
        Ok(())
    }

    /// The file.
    ///
    /// # Errors
    /// `internal`, never seen.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.0.into_inner().map_err(writing)
    }
}

fn writing(e: ParquetError) -> Error {
    Error::internal("a parquet file cannot be written").caused_by(e)
}

/// A column: values with their levels.
#[derive(Default)]
struct Leaf {
    values: Vec<ByteArray>,
    defined: Vec<i16>,
    repeated: Vec<i16>,
}

impl Leaf {
    fn put(&mut self, value: &str, defined: i16, repeated: i16) {
        self.values.push(ByteArray::from(value.as_bytes().to_vec()));
        self.none(defined, repeated);
    }

    fn none(&mut self, defined: i16, repeated: i16) {
        self.defined.push(defined);
        self.repeated.push(repeated);
    }

    fn optional(&mut self, value: Option<&str>, defined: i16, repeated: i16) {
        match value {
            Some(value) => self.put(value, defined + 1, repeated),
            None => self.none(defined, repeated),
        }
    }
}

/// The columns of these rows, in the order of the schema.
fn shredded(rows: &[Row]) -> Vec<Leaf> {
    let said = |value: fn(&Said) -> Option<&str>, optional| said_leaf(rows, value, optional);
    vec![
        plain(rows, |row| Some(&row.user), false),
        plain(rows, |row| Some(&row.session), false),
        said(|said| Some(said.role.name()), false),
        said(|said| Some(&said.text), false),
        said(|said| said.name.as_deref(), true),
        call_leaf(rows, |call| &call.id),
        call_leaf(rows, |_| "function"),
        call_leaf(rows, |call| &call.name),
        call_leaf(rows, |call| &call.arguments),
        said(|said| said.answers.as_deref(), true),
        id_leaf(rows),
        plain(rows, |row| row.tools.as_deref(), true),
    ]
}

fn plain(rows: &[Row], value: fn(&Row) -> Option<&str>, optional: bool) -> Leaf {
    let mut leaf = Leaf::default();
    for row in rows {
        match value(row) {
            Some(text) => leaf.put(text, i16::from(optional), 0),
            None => leaf.none(0, 0),
        }
    }
    leaf
}

fn said_leaf(rows: &[Row], value: fn(&Said) -> Option<&str>, optional: bool) -> Leaf {
    let mut leaf = Leaf::default();
    for row in rows {
        for (at, said) in row.said.iter().enumerate() {
            let again = i16::from(at > 0);
            match value(said) {
                text if optional => leaf.optional(text, 1, again),
                text => leaf.put(text.unwrap_or_default(), 1, again),
            }
        }
    }
    leaf
}

/// Of a message without calls the list is null: defined as far as the message.
fn call_leaf(rows: &[Row], value: fn(&Call) -> &str) -> Leaf {
    let mut leaf = Leaf::default();
    for row in rows {
        for (at, said) in row.said.iter().enumerate() {
            if said.calls.is_empty() {
                leaf.none(1, i16::from(at > 0));
            }
            for (nth, call) in said.calls.iter().enumerate() {
                leaf.put(value(call), 3, if nth > 0 { 2 } else { i16::from(at > 0) });
            }
        }
    }
    leaf
}

fn id_leaf(rows: &[Row]) -> Leaf {
    let mut leaf = Leaf::default();
    for row in rows {
        for (at, id) in row.said.iter().flat_map(|said| &said.ids).enumerate() {
            leaf.put(id, 1, i16::from(at > 0));
        }
    }
    leaf
}

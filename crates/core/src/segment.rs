//! A segment: the records of many WAL objects, sealed into one object whose parts can be read alone.
//!
//! `frames ‖ cover ‖ length of the cover (8 bytes, little-endian) ‖ "hfseg01\n"`. A session has one Zstandard frame of
//! texts, and one of vectors where messages have any; the [`Cover`] says where. It lies here too, so that a segment can
//! be read when the object beside it cannot.
//!
//! * Texts: a line `{"v":1}`, then a record a line, in order: `{"u": ULID of the WAL object, "p": position in it, "n"?,
//!   "r": the record as it was written}`. Where a message's vectors lie in the other frame, they are cut out of `r`, and
//!   `n` says how many spaces they have.
//! * Vectors: a line `{"v":1,"vectors":[{"u","p","space","chunks":[[start,end],…],"n": components}]}`, then all components
//!   as little-endian halves.

use crate::cover::{Cover, Frame, Frames};
use crate::key::hash32;
use crate::message::{MessageVectors, fits, json_of_vectors, vectors_of_json};
use crate::purge::Purge;
use crate::record::{Kind, Line, Record, VERSION, newer, versioned};
use crate::thing::{Source, ThingBody, ThingKind};
use crate::{Error, Result, SessionId, zstd};
use half::f16;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::io::{BufRead, Read, Write};
use ulid::Ulid;

const TAIL: &[u8; 8] = b"hfseg01\n";
const TAIL_NAME: &[u8] = b"hfseg";

/// A segment that is not written yet, and what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes of the segment.
    pub segment: Vec<u8>,
    /// Bytes of its cover.
    pub bytes_of_cover: Vec<u8>,
    /// Its cover.
    pub cover: Cover,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Deserialize)]
struct TextLine<'a> {
    #[serde(borrow)]
    u: &'a str,
    p: u32,
    #[serde(default)]
    n: u32,
    #[serde(borrow)]
    r: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct VectorLine {
    v: u32,
    vectors: Vec<VectorsOf>,
}

#[derive(Serialize, Deserialize)]
struct VectorsOf {
    u: String,
    p: u32,
    space: String,
    chunks: Vec<(u32, u32)>,
    n: usize,
}

/// Seals records that are wholly those of the WAL objects named `wal`. Copies of one record are kept once. Equal input
/// gives equal bytes, whatever its order.
///
/// # Errors
/// `internal` when a record cannot be written, or a session is too large for one frame.
pub fn seal(mut lines: Vec<Line>, mut wal: Vec<String>, mut names: Vec<String>) -> Result<Sealed> {
    for list in [&mut wal, &mut names] {
        list.sort_unstable();
        list.dedup();
    }
    names.retain(|name| wal.binary_search(name).is_err());
    let (mut segment, mut cover) = (Vec::new(), Cover::new(wal, names));
    cover.purges = Purge::among(&lines);
    // In place: the lines are most of what is in memory.
    lines.sort_unstable_by(|one, other| {
        let order = (&one.session, one.order, &one.text);
        order.cmp(&(&other.session, other.order, &other.text))
    });
    lines.dedup_by(|one, other| (&one.session, one.order) == (&other.session, other.order));
    for session in lines.chunk_by_mut(|one, other| one.session == other.session) {
        cover.sessions.extend(session_frames(session, &mut segment)?);
        session.iter_mut().for_each(|line| line.text = Box::default());
    }
    let bytes_of_cover = cover.encode()?;
    segment.extend_from_slice(&bytes_of_cover);
    segment.extend_from_slice(&(bytes_of_cover.len() as u64).to_le_bytes());
    segment.extend_from_slice(TAIL);
    Ok(Sealed { segment, bytes_of_cover, cover })
}

/// Writes the frames of one session's lines, and leaves those without their vectors.
fn session_frames(lines: &mut [Line], out: &mut Vec<u8>) -> Result<Option<Frames>> {
    let ends = lines.first().zip(lines.last());
    let Some((first, last)) = ends.map(|(first, last)| (first.order, last.order)) else {
        return Ok(None);
    };
    let session = lines.first().and_then(|line| line.session.clone());
    let sources: Vec<Source> = lines.iter().flat_map(sources).collect();
    let others = sources.iter().map(|source| &source.session);
    let others = others.filter(|other| session.as_ref() != Some(*other)).cloned();
    let made_of: BTreeSet<SessionId> = others.collect();
    let oldest = sources.iter().map(|source| source.order.hlc).min();
    let attached = lines.iter().any(is_attachment);
    let (mut vectors, mut halves) = (VectorLine { v: VERSION, vectors: Vec::new() }, Vec::new());
    let mut spaces = Vec::with_capacity(lines.len());
    for line in lines.iter_mut() {
        let (text, of_message) = cut(&line.text).unzip();
        line.text = text.map_or_else(|| std::mem::take(&mut line.text), String::into_boxed_str);
        let of_message: Vec<MessageVectors> = of_message.unwrap_or_default();
        spaces.push(u32::try_from(of_message.len()).map_err(encoding)?);
        for one in of_message {
            let (u, p, n) = (line.order.ulid.to_string(), line.order.position, one.values.len());
            vectors.vectors.push(VectorsOf { u, p, space: one.space, chunks: one.chunks, n });
            halves.extend(one.values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
    let texts = frame(|| Texts::of(lines, &spaces), out)?;
    let records = lines.len() as u64;
    let vectors = if vectors.vectors.is_empty() {
        None
    } else {
        let head = json_line(&vectors)?;
        Some(frame(|| head.chain(&*halves), out)?)
    };
    Ok(Some(Frames {
        session,
        texts,
        vectors,
        records,
        first,
        last,
        made_of: made_of.into_iter().collect(),
        oldest: oldest.filter(|oldest| *oldest < first.hlc),
        attached: Some(attached),
    }))
}

/// A frame's texts, a line at a time: all of them at once would be as much again as the lines.
struct Texts<'a> {
    lines: std::iter::Zip<std::slice::Iter<'a, Line>, std::slice::Iter<'a, u32>>,
    row: Vec<u8>,
    read: usize,
}

impl<'a> Texts<'a> {
    fn of(lines: &'a [Line], spaces: &'a [u32]) -> Self {
        let row = format!("{{\"v\":{VERSION}}}\n").into_bytes();
        Self { lines: lines.iter().zip(spaces), row, read: 0 }
    }
}

impl Read for Texts<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        if self.read == self.row.len() {
            let Some((line, spaces)) = self.lines.next() else { return Ok(0) };
            self.row.clear();
            self.read = 0;
            let (u, p) = (line.order.ulid, line.order.position);
            write!(self.row, "{{\"u\":\"{u}\",\"p\":{p},")?;
            if *spaces > 0 {
                write!(self.row, "\"n\":{spaces},")?;
            }
            writeln!(self.row, "\"r\":{}}}", line.text)?;
        }
        let mut left = self.row.get(self.read..).unwrap_or_default();
        let read = left.read(to)?;
        self.read += read;
        Ok(read)
    }
}

fn is_attachment(line: &Line) -> bool {
    let attachment = |record: Record| record.kind == Kind::Thing(ThingKind::Attachment);
    line.text.contains("\"attachment\"") && line.record().is_ok_and(attachment)
}

/// What a thing was made of; nothing of what is none.
fn sources(line: &Line) -> Vec<Source> {
    // Most lines are messages: those are not read for it.
    let named = line.text.contains("\"sources\"").then(|| line.record().ok()).flatten();
    let body = named.filter(|record| matches!(record.kind, Kind::Thing(_)));
    let body = body.and_then(|record| ThingBody::decode(record.body.as_ref()?).ok());
    body.map(|body| body.sources).unwrap_or_default()
}

fn frame<R: Read>(source: impl Fn() -> R, out: &mut Vec<u8>) -> Result<Frame> {
    let bytes = std::io::copy(&mut source(), &mut std::io::sink()).map_err(encoding)?;
    if bytes > zstd::MAX_UNPACKED {
        return Err(Error::internal("a session is too large for one segment"));
    }
    let start = out.len();
    zstd::pack_from(source, out);
    let packed = out.get(start..).unwrap_or_default();
    Ok(Frame { at: start as u64, bytes: packed.len() as u64, hash: hash32(packed) })
}

fn json_line(thing: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(thing).map_err(encoding)?;
    line.push(b'\n');
    Ok(line)
}

fn encoding(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("a segment cannot be encoded").caused_by(e)
}

/// All records of a segment, in order of session and then their own.
///
/// # Errors
/// `corrupt` when it does not hold what the cover says, with reason `newer_format` when a newer program wrote it.
pub fn open(segment: &[u8], cover: &Cover) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for frames in &cover.sessions {
        each_line(segment, frames, |line| lines.push(line))?;
    }
    Ok(lines)
}

/// Reads all that [`open`] would, and keeps nothing of it.
///
/// # Errors
/// As [`open`].
pub fn check(segment: &[u8], cover: &Cover) -> Result<()> {
    cover.sessions.iter().try_for_each(|frames| each_line(segment, frames, drop))
}

/// The records of one session, in order.
///
/// # Errors
/// As [`open`].
pub fn open_session(segment: &[u8], frames: &Frames) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    each_line(segment, frames, |line| lines.push(line))?;
    Ok(lines)
}

fn each_line(segment: &[u8], frames: &Frames, mut take: impl FnMut(Line)) -> Result<()> {
    let texts = zstd::unpacking(frames.texts.within(segment)?)?;
    let vectors = frames.vectors.as_ref().map(|frame| frame.within(segment)).transpose()?;
    let vectors = vectors.map(zstd::unpacking).transpose()?;
    let mut vectors = vectors.map(Components::read).transpose()?;
    let mut rows = Rows { texts, row: Vec::new() };
    let version = |version: &Version| version.v;
    versioned(rows.next()?.unwrap_or_default(), version, "a segment's frame")?;
    let (mut first, mut last, mut records) = (None, None, 0_u64);
    while let Some(row) = rows.next()? {
        let line = read_row(row, vectors.as_mut(), frames)?;
        first = first.or(Some(line.order));
        last = Some(line.order);
        records += 1;
        take(line);
    }
    if (first, last, records) != (Some(frames.first), Some(frames.last), frames.records) {
        return Err(broken("a frame does not hold the records that the cover names"));
    }
    Ok(())
}

/// Lines of a frame of texts.
struct Rows<R> {
    texts: R,
    row: Vec<u8>,
}

impl<R: BufRead> Rows<R> {
    fn next(&mut self) -> Result<Option<&str>> {
        self.row.clear();
        if self.texts.read_until(b'\n', &mut self.row).map_err(zstd::broken)? == 0 {
            return Ok(None);
        }
        let row = self.row.strip_suffix(b"\n");
        let row = row.ok_or_else(|| broken("a frame does not end with a line"))?;
        let text = std::str::from_utf8(row);
        text.map(Some).map_err(|e| broken("a frame's texts are not UTF-8").caused_by(e))
    }
}

fn read_row(
    row: &str,
    vectors: Option<&mut Components<impl Read>>,
    frames: &Frames,
) -> Result<Line> {
    let wrong = |e| broken("a line of a frame is not a record").caused_by(e);
    let TextLine { u, p, n, r } = serde_json::from_str(row).map_err(wrong)?;
    let ulid = Ulid::from_string(u).map_err(|_| broken("a line of a frame has no ULID"))?;
    let line = if n == 0 {
        Line::read(ulid, p, r.get())?
    } else {
        let vectors = vectors.ok_or_else(|| broken("a message's vectors are not there"))?;
        let of_message = (0..n).map(|_| vectors.next(u, p)).collect::<Result<Vec<_>>>()?;
        let text = joined(r.get(), &of_message)?;
        Line::read(ulid, p, &text.ok_or_else(|| broken("vectors belong to no message"))?)?
    };
    if line.session != frames.session {
        return Err(broken("a record lies in another session's frame"));
    }
    Ok(line)
}

/// The cover that lies at a segment's end.
///
/// # Errors
/// As [`open`].
pub fn cover_within(segment: &[u8]) -> Result<Cover> {
    Cover::decode(bytes_of_cover(segment)?)
}

/// The bytes of the cover that lies at a segment's end: those of the object beside it.
///
/// # Errors
/// As [`open`].
pub fn bytes_of_cover(segment: &[u8]) -> Result<&[u8]> {
    let (rest, tail) = segment.split_last_chunk::<8>().ok_or_else(|| broken("it is cut"))?;
    if tail != TAIL {
        let version = tail.strip_prefix(TAIL_NAME).and_then(|rest| rest.strip_suffix(b"\n"));
        let version =
            version.and_then(|v| std::str::from_utf8(v).ok()).and_then(|v| v.parse().ok());
        return Err(match version {
            Some(v) if v > VERSION => newer("a segment", v),
            _ => broken("it does not end as one"),
        });
    }
    let (rest, length) = rest.split_last_chunk::<8>().ok_or_else(|| broken("it is cut"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let start = rest.len().checked_sub(length).ok_or_else(|| broken("it is cut"))?;
    Ok(rest.get(start..).unwrap_or_default())
}

fn broken(why: &str) -> Error {
    Error::corrupt(format!("a segment cannot be read: {why}"))
}

impl Frame {
    /// Its bytes, packed.
    fn within<'s>(&self, segment: &'s [u8]) -> Result<&'s [u8]> {
        let end = self.at.checked_add(self.bytes).and_then(|end| usize::try_from(end).ok());
        let start = usize::try_from(self.at).unwrap_or(usize::MAX);
        let bytes = end.and_then(|end| segment.get(start..end));
        let bytes = bytes.ok_or_else(|| broken("a frame lies outside"))?;
        if hash32(bytes) != self.hash {
            return Err(broken("a frame is not what was written"));
        }
        Ok(bytes)
    }
}

/// The frame of vectors, read from its front.
struct Components<R> {
    heads: std::vec::IntoIter<VectorsOf>,
    halves: R,
}

impl<R: BufRead> Components<R> {
    fn read(mut bytes: R) -> Result<Self> {
        let mut head = Vec::new();
        bytes.read_until(b'\n', &mut head).map_err(zstd::broken)?;
        let head = std::str::from_utf8(&head)
            .map_err(|e| broken("a frame of vectors has no head").caused_by(e))?;
        let head: VectorLine =
            versioned(head, |head: &VectorLine| head.v, "a segment's frame of vectors")?;
        Ok(Self { heads: head.vectors.into_iter(), halves: bytes })
    }
}

impl<R: Read> Components<R> {
    fn next(&mut self, ulid: &str, position: u32) -> Result<MessageVectors> {
        let head = self.heads.next().filter(|head| head.u == ulid && head.p == position);
        let head =
            head.ok_or_else(|| broken("a message's vectors are not where they should be"))?;
        let misfit = || broken("vectors do not fit their chunks");
        if !fits(head.n, head.chunks.len()) {
            return Err(misfit());
        }
        let (mut halves, bytes) = (Vec::new(), head.n.saturating_mul(2) as u64);
        self.halves.by_ref().take(bytes).read_to_end(&mut halves).map_err(zstd::broken)?;
        let (halves, rest) = halves.as_chunks::<2>();
        if halves.len() != head.n || !rest.is_empty() {
            return Err(misfit());
        }
        let values = halves.iter().map(|half| f16::from_le_bytes(*half)).collect();
        Ok(MessageVectors { space: head.space, chunks: head.chunks, values })
    }
}

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BodyParts<'a> {
    #[serde(borrow)]
    vectors: Option<&'a RawValue>,
}

/// The text of a message's record without its vectors, and those: only where putting them back gives the text as it was.
fn cut(text: &str) -> Option<(String, Vec<MessageVectors>)> {
    let parts: Parts<'_> = serde_json::from_str(text).ok()?;
    let body = parts.body.filter(|_| matches!(&*parts.kind, "message" | "memory"))?.get();
    let json = serde_json::from_str::<BodyParts<'_>>(body).ok()?.vectors?.get();
    let vectors = vectors_of_json(json).ok().filter(|vectors| !vectors.is_empty())?;
    let kept = body.strip_suffix('}')?.strip_suffix(json)?.strip_suffix(",\"vectors\":")?;
    let start = body.as_ptr() as usize - text.as_ptr() as usize;
    let (before, after) = (text.get(..start)?, text.get(start + body.len()..)?);
    let short = format!("{before}{kept}}}{after}");
    (joined(&short, &vectors).ok()??.as_str() == text).then_some((short, vectors))
}

/// The text of a record with its vectors in its body again.
fn joined(short: &str, vectors: &[MessageVectors]) -> Result<Option<String>> {
    let Ok(Parts { body: Some(body), .. }) = serde_json::from_str(short) else { return Ok(None) };
    let end = body.get().as_ptr() as usize - short.as_ptr() as usize + body.get().len();
    let (Some(before), Some(after)) = (short.get(..end), short.get(end..)) else { return Ok(None) };
    let Some(open) = before.strip_suffix('}') else { return Ok(None) };
    Ok(Some(format!("{open},\"vectors\":{}}}{after}", json_of_vectors(vectors)?)))
}

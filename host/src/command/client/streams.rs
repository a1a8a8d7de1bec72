//! Bytes that go to an installation and come from it as they are: piece by piece, with a bar, checked by their SHA-256.

use super::progress::bar;
use super::{Client, TRIES};
use crate::command::remote::{pause, refused, unanswered};
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use holdfast_core::{Case, Error};
use holdfast_ports::{Pieces, Streaming};
use http::request::Builder;
use http::{Method, Response, StatusCode, header};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a piece.
const PIECE: usize = 64 << 10;
/// What is read of an answer that refuses.
const REFUSAL: usize = 64 << 10;

/// Where bytes come from.
pub(super) enum Source<'a> {
    /// A file, which may be sent again.
    File(&'a Path),
    /// The standard input.
    Input,
}

/// Where bytes go.
pub(super) enum Target<'a> {
    /// A file: beside it until they are whole.
    File(&'a Path),
    /// The standard output.
    Output,
}

/// What became of what was sent.
pub(super) struct Sent {
    /// The installation's answer.
    pub answer: Bytes,
    /// SHA-256 of what was sent, in hex.
    pub sha256: String,
}

/// What was fetched, and is what it should be.
pub(super) struct Got {
    /// Bytes.
    pub size: u64,
    /// Their SHA-256, in hex.
    pub sha256: String,
}

/// `PUT`s bytes of a media type to a path. A file is sent again when the installation says so; what it holds is told before,
/// so that nothing else is taken for it.
pub(super) async fn send(
    client: &Client<'_>,
    path: &str,
    source: &Source<'_>,
    kind: &str,
) -> Result<Sent> {
    let Source::File(file) = source else {
        let told = bar(client, None);
        let (pieces, hash) = read(tokio::io::stdin(), told.clone());
        let answer = put(client, path, kind, &[], pieces).await;
        told.finish_and_clear();
        return Ok(Sent { answer: answer?, sha256: hex(&hash.state()) });
    };
    let unreadable = || format!("read {}", file.display());
    let (size, hash) = hashed(File::open(file).await.with_context(unreadable)?).await?;
    let digest = format!("sha-256=:{}:", STANDARD.encode(hash.clone().finalize()));
    let stated = [("content-length", size.to_string()), ("content-digest", digest)];
    let mut tried = 1;
    loop {
        let told = bar(client, Some(size));
        let opened = File::open(file).await.with_context(unreadable)?;
        let (pieces, _) = read(opened.take(size), told.clone());
        let answer = put(client, path, kind, &stated, pieces).await;
        told.finish_and_clear();
        match answer {
            Ok(answer) => return Ok(Sent { answer, sha256: hex(&hash) }),
            Err(error) => wait(error, &mut tried).await?,
        }
    }
}

/// Waits until a call may be made again.
async fn wait(error: Error, tried: &mut u32) -> Result<(), Error> {
    let Some(seconds) = pause(&error, *tried, TRIES) else { return Err(error) };
    eprintln!("{error}; again in {seconds} s");
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    *tried += 1;
    Ok(())
}

async fn put(
    client: &Client<'_>,
    path: &str,
    kind: &str,
    stated: &[(&str, String)],
    pieces: Pieces,
) -> Result<Bytes, Error> {
    let mut request =
        client.installation.request(Method::PUT, path).header(header::CONTENT_TYPE, kind);
    for (name, value) in stated {
        request = request.header(*name, value);
    }
    let mut answer = answered(request, Some(pieces)).await?;
    whole(answer.body_mut(), usize::MAX).await
}

/// The answer, when it is what was asked for.
async fn answered(request: Builder, body: Option<Pieces>) -> Result<Response<Pieces>, Error> {
    let wrong = |e| Error::invalid("HOLDFAST_KEY, --url or --type cannot be sent").caused_by(e);
    let request = request.body(body).map_err(wrong)?;
    let answer = Streaming::new()?.send(request).await.map_err(unanswered)?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let (head, mut pieces) = answer.into_parts();
    let told = whole(&mut pieces, REFUSAL).await.unwrap_or_default();
    Err(refused(&Response::from_parts(head, told)))
}

async fn whole(pieces: &mut Pieces, most: usize) -> Result<Bytes, Error> {
    let mut body = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        body.extend_from_slice(&piece.map_err(cut_off)?);
        if body.len() > most {
            break;
        }
    }
    Ok(body.freeze())
}

fn cut_off(cause: std::io::Error) -> Error {
    Error::unavailable("the answer broke off").caused_by(cause)
}

/// The hash of what was sent so far.
struct Hashing(Arc<Mutex<Sha256>>);

impl Hashing {
    fn state(&self) -> Sha256 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a reader gives, piece by piece, and the hash of it.
fn read(from: impl AsyncRead + Send + Unpin + 'static, told: ProgressBar) -> (Pieces, Hashing) {
    let hash = Arc::new(Mutex::new(Sha256::new()));
    let sums = hash.clone();
    let pieces = stream::try_unfold(from, async |mut from| {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = from.read_buf(&mut piece).await?;
        std::io::Result::Ok((read > 0).then(|| (piece.freeze(), from)))
    });
    let pieces = pieces.inspect(move |piece| {
        if let Ok(piece) = piece {
            sums.lock().unwrap_or_else(PoisonError::into_inner).update(piece);
            told.inc(piece.len() as u64);
        }
    });
    (Box::pin(pieces), Hashing(hash))
}

/// Bytes of a file, from where it stands to its end, and their hash.
async fn hashed(mut file: File) -> Result<(u64, Sha256)> {
    let (mut size, mut hash, mut piece) = (0, Sha256::new(), vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece).await?;
        if read == 0 {
            return Ok((size, hash));
        }
        hash.update(piece.get(..read).unwrap_or_default());
        size += read as u64;
    }
}

fn hex(hash: &Sha256) -> String {
    format!("{:x}", hash.clone().finalize())
}

/// `GET`s a path. What goes to a file goes on where it broke off before, and stands under its name once it is whole.
///
/// # Errors
/// `corrupt` when it is not what its ETag says.
pub(super) async fn fetch(client: &Client<'_>, path: &str, to: Target<'_>) -> Result<Got> {
    match to {
        Target::Output => {
            let mut got = Coming::new(tokio::io::stdout());
            let tag = got.go_on(client, path).await?;
            got.out.flush().await?;
            Ok(got.is(&tag)?)
        }
        Target::File(file) => to_file(client, path, file).await,
    }
}

async fn to_file(client: &Client<'_>, path: &str, file: &Path) -> Result<Got> {
    let part = beside(file);
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).open(&part).await;
    let out = opened.with_context(|| format!("write {}", part.display()))?;
    let mut got = Coming::new(out);
    (got.size, got.hash) = hashed(got.out.try_clone().await?).await?;
    let mut tried = 1;
    let whole = loop {
        let partly = got.size > 0;
        let came = got.go_on(client, path).await;
        match came.and_then(|tag| got.is(&tag)) {
            Ok(whole) => break whole,
            // What was there is of another, or was whole already.
            Err(error) if partly && is_of_another(&error) => got.anew().await?,
            Err(error) => wait(error, &mut tried).await?,
        }
    };
    got.out.sync_all().await?;
    tokio::fs::rename(&part, file).await.with_context(|| format!("write {}", file.display()))?;
    Ok(whole)
}

fn is_of_another(error: &Error) -> bool {
    error.case == Case::Corrupt || error.reason == "range_not_satisfiable"
}

/// Where bytes lie until they are whole.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    file.with_file_name(name)
}

/// Bytes on their way.
struct Coming<W> {
    out: W,
    size: u64,
    hash: Sha256,
}

impl<W: AsyncWrite + Unpin> Coming<W> {
    fn new(out: W) -> Self {
        Self { out, size: 0, hash: Sha256::new() }
    }

    /// Takes what follows what is there, up to the end: the ETag of all of it.
    async fn go_on(&mut self, client: &Client<'_>, path: &str) -> Result<String, Error> {
        let mut request = client.installation.request(Method::GET, path);
        if self.size > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", self.size));
        }
        let answer = answered(request, None).await?;
        if (self.size > 0) != (answer.status() == StatusCode::PARTIAL_CONTENT) {
            return Err(Error::internal("the installation gives another range than was asked for"));
        }
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let tag = text(header::ETAG).unwrap_or_default().trim_matches('"').to_owned();
        let left = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        let told = bar(client, left.map(|left| self.size + left));
        told.set_position(self.size);
        let mut pieces = answer.into_body();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(cut_off)?;
            let unwritten = |cause| Error::internal("cannot write").caused_by(cause);
            self.out.write_all(&piece).await.map_err(unwritten)?;
            self.hash.update(&piece);
            self.size += piece.len() as u64;
            told.inc(piece.len() as u64);
        }
        told.finish_and_clear();
        Ok(tag)
    }

    /// It is what the ETag names.
    fn is(&self, tag: &str) -> Result<Got, Error> {
        let sha256 = hex(&self.hash);
        if sha256 != tag {
            return Err(Error::corrupt("what came is not what its ETag names: fetch it again"));
        }
        Ok(Got { size: self.size, sha256 })
    }
}

impl Coming<File> {
    /// Begins again with nothing.
    async fn anew(&mut self) -> std::io::Result<()> {
        self.out.set_len(0).await?;
        self.out.rewind().await?;
        (self.size, self.hash) = (0, Sha256::new());
        Ok(())
    }
}

//! Attachments on their way into the bucket and out of it, a part at a time.

use crate::wit::index::Knowledge;
use crate::write::{offset, outside};
use crate::{Answer, Bucket, GuestClock, GuestIds, State};
use futures::stream::{self, StreamExt};
use holdfast_core::attachment::{Attachment, read_piece};
use holdfast_core::{Case, Result, Scope};
use holdfast_journal::Upload;

/// An attachment that comes.
pub type Coming<'a> = Upload<'a, Bucket, GuestClock, GuestIds>;

/// Begins to take one in.
///
/// # Errors
/// `clock` when this machine's clock cannot be trusted; what the store may answer.
pub async fn begin<'a>(
    state: &'a State,
    scope: &'a Scope,
    known: &Knowledge,
) -> Result<Coming<'a>> {
    let offset = offset(state, known).await?;
    Upload::begin(outside(state), scope, state.ledger(), offset).await
}

/// The bytes from `start` to `end` (exclusive) as an answer. The first of them are read before anything is said.
///
/// # Errors
/// `gone` when they are not there any more; `corrupt`; what the store may answer.
pub async fn answer(
    state: &'static State,
    scope: &Scope,
    attachment: &Attachment,
    status: u16,
    (start, end): (u64, u64),
) -> Result<Answer> {
    let mut pieces = attachment.pieces(scope, start, end)?.into_iter();
    let first = match pieces.next() {
        Some(piece) => Some(Ok(read_piece(&state.bucket, &piece).await?)),
        None => None,
    };
    let rest = stream::iter(pieces).then(async |piece| read_piece(&state.bucket, &piece).await);
    let all = stream::iter(first).chain(rest);
    Ok(Answer::flowing(status, attachment.media_type.clone(), end.saturating_sub(start), all))
}

/// Are all its parts there as they were written? Reads them.
///
/// # Errors
/// What the store may answer.
pub async fn is_there(state: &State, scope: &Scope, attachment: &Attachment) -> Result<bool> {
    for piece in attachment.pieces(scope, 0, attachment.size)? {
        match read_piece(&state.bucket, &piece).await {
            Ok(_) => {}
            Err(error) if error.reason == "gone" || error.case == Case::Corrupt => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Copies an attachment's bytes, so that a new record names objects that no other names.
///
/// # Errors
/// As [`answer`].
pub async fn copy(state: &State, scope: &Scope, attachment: &Attachment) -> Result<Attachment> {
    let known = crate::write::known(scope, "", Vec::new()).await;
    let mut coming = begin(state, scope, &known).await?;
    let came = async {
        for piece in attachment.pieces(scope, 0, attachment.size)? {
            coming.push(&read_piece(&state.bucket, &piece).await?).await?;
        }
        coming.finish(&attachment.media_type).await
    };
    match came.await {
        Ok(copy) => Ok(copy),
        Err(error) => {
            coming.withdraw().await;
            Err(error)
        }
    }
}

//! LangChain's tree: `storage/memory/<uuid>.json` and `storage/db/<uuid>.db`, a session each.

use super::report::{LeftOut, Report};
use crate::{Stored, langchain};
use uuid::Uuid;

/// Made up for this: sessions whose id is no UUID have one that is always the same.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b1d_0b7e_5f0e_4f0c_9a53_1f2c_7d7a_92e4);

/// The session's UUID: its id, or one made from user and id.
pub(super) fn uuid(user: &str, session: &str) -> Uuid {
    let own = Uuid::try_parse(session).ok();
    own.filter(|uuid| uuid.as_hyphenated().to_string() == session).unwrap_or_else(|| {
        Uuid::new_v5(&NAMESPACE, format!("{}\n{user}\n{session}", user.len()).as_bytes())
    })
}

/// Name of the session's messages.
pub fn memory_name(user: &str, session: &str) -> String {
    format!("storage/memory/{}.json", uuid(user, session))
}

/// Name of the database that was uploaded to the session.
pub fn database_name(user: &str, session: &str) -> String {
    format!("storage/db/{}.db", uuid(user, session))
}

/// The session's messages as `messages_from_dict` reads them; none when they are more than `limit` bytes.
pub fn memory_file<'a>(
    messages: impl IntoIterator<Item = Stored<'a>>,
    limit: usize,
    report: &mut Report,
) -> Option<String> {
    let mut count = 0;
    let counted = messages.into_iter().inspect(|_| count += 1);
    let text = langchain::langchain_array(counted, false);
    report.messages += count;
    if text.len() > limit {
        report.leave(LeftOut::SessionTooLarge, 1);
        return None;
    }
    report.examples += 1;
    Some(text)
}

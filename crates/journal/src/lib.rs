//! One append-only journal per user over `Objects`: write, read, follow. See `docs/storage.md` for the protocol.

mod attach;
mod attachments;
mod authority;
mod behind;
mod budget;
mod changes;
mod collect;
mod compact;
mod covered;
mod dirty;
mod erase;
mod exported;
mod fetch;
mod follow;
mod front;
mod heads;
mod index_parts;
mod keys;
mod lag;
mod ledger;
mod mend;
mod pending;
mod publish;
mod purge;
mod read;
mod renew;
mod rules;
mod saved;
mod survey;
mod tail;
mod users;
mod verify;
mod write;

pub use attach::Upload;
pub use authority::{Authority, key_text};
pub use budget::{Held, hold, spent, tidy_spent};
pub use changes::Changes;
pub use collect::{Collected, collect};
pub use compact::{Compaction, Next, Step, compact};
pub use dirty::{ToDo, last_sweep, note_dirty, note_sweep, to_do};
pub use erase::{SECOND_SWEEP, erase, sweep, upkeeper};
pub use follow::{list, look_again, open, poll, settle, settle_tail};
pub use front::Front;
pub use index_parts::INDEX_PART_KEPT;
pub use keys::{find_caller, find_key, list_keys, mint_key, revoke_key};
pub use lag::{Lag, lag};
pub use ledger::{Erasure, erased, erasure, find_erase, is_mark, marks};
pub use mend::mend;
pub use read::{Absorbed, Journal};
pub use rules::Rules;
pub use saved::SavedJournal;
pub use users::{User, next_user, tenants};
pub use verify::{Verified, verify};
pub use write::{
    CLOCK_UNCERTAINTY, Draft, MAX_WRITE, Pen, Written, delete, delete_as, pass, rewrite, write,
    write_as,
};

//! One user's time: messages evenly spread over days, upkeep at the end of each, and then what is owed to the collector.

use crate::bill::Bill;
use crate::conversation::message;
use crate::meter::Meter;
use futures::executor::block_on;
use holdfast_core::erase::Ledger;
use holdfast_core::record::{Writer, WriterKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Result, Scope, SessionId, TenantId, UserId};
use holdfast_journal::{Next, Pen, Rules, collect, compact, next_user, write};
use rand::SeedableRng;
use rand::rngs::StdRng;

const DAY: u64 = 86_400_000;
/// 2026-03-20T00:00:00Z in Unix milliseconds.
const BEGUN: u64 = 1_773_964_800_000;

/// What one user stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Messages of 500 B.
    pub messages: u64,
    /// So many of them in one write.
    pub batch: u64,
    /// Days that they are spread over.
    pub days: u64,
    /// Messages of one session; the next begins after it.
    pub session: u64,
    /// With a vector of 384 components each.
    pub vectors: bool,
    /// Of texts, vectors and names.
    pub seed: u64,
}

/// The bill of one user's days: every request that a host makes to write, compact and collect once a day, and the bytes that
/// these days leave when all that can go is gone. Reading for users is not in it.
///
/// # Errors
/// What the journal may answer, which a store in memory gives no reason for.
pub fn month(load: Load) -> Result<Bill> {
    block_on(async {
        let user = User::new(load)?;
        user.lives(load).await?;
        let days = user.meter.bill();
        user.winds_down(load).await?;
        let end = user.meter.bill();
        // Of the time after, only that its objects go.
        let after = Bill { written: days.written, read: days.read, ..end };
        Ok(Bill { puts: days.puts, gets: days.gets, lists: days.lists, ..after })
    })
}

struct User {
    scope: Scope,
    meter: Meter,
    rules: Rules,
}

impl User {
    fn new(load: Load) -> Result<Self> {
        let scope = Scope { tenant: TenantId::parse("cost")?, user: UserId::parse("ann")? };
        Ok(Self { scope, meter: Meter::new(BEGUN, load.seed), rules: Rules::default() })
    }

    async fn lives(&self, load: Load) -> Result<()> {
        let mut rng = StdRng::seed_from_u64(load.seed);
        let mut known = Frontier::default();
        let (mut stored, mut day) = (0, 1);
        while stored < load.messages {
            let at = stored * load.days * DAY / load.messages;
            while at >= day * DAY {
                self.upkeep(day).await?;
                day += 1;
            }
            self.meter.set(BEGUN + at);
            let session = SessionId::parse(&format!("session-{}", stored / load.session))?;
            let size = load.batch.min(load.messages - stored);
            let drafts = (0..size).map(|_| message(&mut rng, &session, load.vectors));
            let drafts = drafts.collect::<Result<Vec<_>>>()?;
            let by = Writer { kind: WriterKind::Service, key: "root".to_owned() };
            let pen = Pen { scope: &self.scope, by, known: &known, offset: 0 };
            known = write(&self.meter.outside(), pen, drafts).await?.frontier;
            stored += size;
        }
        while day <= load.days {
            self.upkeep(day).await?;
            day += 1;
        }
        Ok(())
    }

    /// What a host's walk does for a user, at the end of a day.
    async fn upkeep(&self, day: u64) -> Result<()> {
        self.meter.set(BEGUN + day * DAY - 1);
        next_user(&self.meter, &self.scope.tenant, None).await?;
        let ledger = Ledger::new("a secret");
        while compact(&self.meter.outside(), &self.scope, &ledger, &self.rules).await?.next
            == Next::More
        {}
        while collect(&self.meter.outside(), &self.scope, &ledger, &self.rules).await?.next
            == Next::More
        {}
        Ok(())
    }

    /// Upkeep until the tail is sealed and the graces of all that is replaced have passed.
    async fn winds_down(&self, load: Load) -> Result<()> {
        for week in 1..=4 {
            self.upkeep(load.days + week * 8).await?;
        }
        Ok(())
    }
}

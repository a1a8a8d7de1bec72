//! The order in which jobs wait: queries before passages, tenants in turn, never more than there is room for.

use std::collections::{HashMap, VecDeque};

/// What a text is embedded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Someone waits for the answer to a question.
    Query,
    /// A message, or a chunk of one, is to be found later.
    Passage,
}

/// Waiting jobs of both purposes.
pub(crate) struct Queue<J> {
    queries: Lane<J>,
    passages: Lane<J>,
    room: usize,
}

impl<J> Queue<J> {
    /// A queue with room for `room` jobs of each purpose; one tenant gets half of it at most, so that it cannot shut the others out.
    pub(crate) fn new(room: usize) -> Self {
        Self { queries: Lane::default(), passages: Lane::default(), room: room.max(1) }
    }

    /// Puts a job at the end of its tenant's line, or gives it back when there is no room.
    pub(crate) fn push(&mut self, tenant: &str, purpose: Purpose, job: J) -> Result<(), J> {
        let room = self.room;
        let lane = self.lane(purpose);
        let own = lane.lines.get(tenant).map_or(0, VecDeque::len);
        if lane.waiting >= room || own >= room.div_ceil(2) {
            return Err(job);
        }
        lane.add(tenant, |line| line.push_back(job));
        Ok(())
    }

    /// Puts a job that is not finished back to the head of its tenant's line; the other tenants come first.
    pub(crate) fn put_back(&mut self, tenant: &str, purpose: Purpose, job: J) {
        self.lane(purpose).add(tenant, |line| line.push_front(job));
    }

    /// The next job with its tenant and purpose.
    pub(crate) fn pop(&mut self) -> Option<(String, Purpose, J)> {
        let query = self.queries.pop().map(|(tenant, job)| (tenant, Purpose::Query, job));
        query.or_else(|| self.passages.pop().map(|(tenant, job)| (tenant, Purpose::Passage, job)))
    }

    /// Forgets all waiting jobs.
    pub(crate) fn clear(&mut self) {
        self.queries = Lane::default();
        self.passages = Lane::default();
    }

    fn lane(&mut self, purpose: Purpose) -> &mut Lane<J> {
        match purpose {
            Purpose::Query => &mut self.queries,
            Purpose::Passage => &mut self.passages,
        }
    }
}

/// One line for each tenant that waits, and whose turn it is.
struct Lane<J> {
    lines: HashMap<String, VecDeque<J>>,
    turns: VecDeque<String>,
    waiting: usize,
}

impl<J> Default for Lane<J> {
    fn default() -> Self {
        Self { lines: HashMap::new(), turns: VecDeque::new(), waiting: 0 }
    }
}

impl<J> Lane<J> {
    fn add(&mut self, tenant: &str, place: impl FnOnce(&mut VecDeque<J>)) {
        if !self.lines.contains_key(tenant) {
            self.turns.push_back(tenant.to_owned());
        }
        place(self.lines.entry(tenant.to_owned()).or_default());
        self.waiting += 1;
    }

    fn pop(&mut self) -> Option<(String, J)> {
        let tenant = self.turns.pop_front()?;
        let line = self.lines.get_mut(&tenant)?;
        let job = line.pop_front()?;
        self.waiting -= 1;
        if line.is_empty() {
            self.lines.remove(&tenant);
        } else {
            self.turns.push_back(tenant.clone());
        }
        Some((tenant, job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop()).map(|(_, _, job)| job).collect()
    }

    #[test]
    fn queries_go_before_passages() {
        let mut queue = Queue::new(8);
        queue.push("a", Purpose::Passage, 1).unwrap();
        queue.push("a", Purpose::Query, 2).unwrap();
        queue.push("b", Purpose::Query, 3).unwrap();
        assert_eq!(drain(&mut queue), [2, 3, 1]);
    }

    #[test]
    fn tenants_take_turns_and_each_keeps_its_own_order() {
        let mut queue = Queue::new(16);
        for (tenant, job) in [("a", 1), ("a", 2), ("a", 3), ("b", 10), ("b", 11), ("c", 20)] {
            queue.push(tenant, Purpose::Passage, job).unwrap();
        }
        assert_eq!(drain(&mut queue), [1, 10, 20, 2, 11, 3]);
    }

    #[test]
    fn a_job_put_back_goes_on_before_its_tenants_other_jobs_and_after_the_other_tenants() {
        let mut queue = Queue::new(16);
        queue.push("a", Purpose::Passage, 1).unwrap();
        let (tenant, purpose, job) = queue.pop().unwrap();
        queue.push("b", Purpose::Passage, 10).unwrap();
        queue.push("a", Purpose::Passage, 2).unwrap();
        queue.put_back(&tenant, purpose, job);
        assert_eq!(drain(&mut queue), [10, 1, 2]);
    }

    #[test]
    fn one_tenant_gets_half_the_room_and_the_lane_no_more_than_all_of_it() {
        let mut queue = Queue::new(4);
        queue.push("a", Purpose::Passage, 1).unwrap();
        queue.push("a", Purpose::Passage, 2).unwrap();
        assert_eq!(queue.push("a", Purpose::Passage, 3), Err(3));
        queue.push("b", Purpose::Passage, 4).unwrap();
        queue.push("c", Purpose::Passage, 5).unwrap();
        assert_eq!(queue.push("d", Purpose::Passage, 6), Err(6));
        queue.push("a", Purpose::Query, 7).unwrap();
        assert_eq!(drain(&mut queue), [7, 1, 4, 5, 2]);
        queue.push("d", Purpose::Passage, 6).unwrap();
    }
}

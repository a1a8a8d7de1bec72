//! A graph over int8 codes (`hnsw_rs`), built on a thread of its own so that nobody waits for it.

use super::codes::Codes;
use hnsw_rs::prelude::{Distance, Hnsw};
use simsimd::SpatialSimilarity;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

const NEIGHBOURS: usize = 16;
const LAYERS: usize = 16;
const BREADTH_OF_BUILD: usize = 100;
/// Measured: neighbours, locks and reference counts of one point, beside its codes.
const BYTES_A_POINT: usize = 3_000;

/// Cosine distance of int8 codes.
#[derive(Clone, Copy)]
struct Angle;

impl Distance<i8> for Angle {
    fn eval(&self, a: &[i8], b: &[i8]) -> f32 {
        i8::cos(a, b).unwrap_or(1.0).max(0.0) as f32
    }
}

/// A graph over the first rows of a user's vectors.
#[derive(Clone)]
pub(crate) struct Graph {
    graph: Arc<Hnsw<'static, i8, Angle>>,
    rows: usize,
    dimensions: usize,
}

impl Graph {
    /// A graph over all rows, unless it is no longer `wanted`. One thread, rows in order: the same rows give the same
    /// graph.
    fn new(codes: &Codes, wanted: impl Fn() -> bool) -> Option<Self> {
        let (rows, dimensions) = (codes.rows(), codes.dimensions());
        let mut graph = Hnsw::new(NEIGHBOURS, rows, LAYERS, BREADTH_OF_BUILD, Angle);
        for (row, at) in (0..rows as u32).filter_map(|at| Some((codes.row(at)?, at))) {
            if at.is_multiple_of(256) && !wanted() {
                return None;
            }
            graph.insert((row, at as usize));
        }
        graph.set_searching_mode(true);
        Some(Self { graph: Arc::new(graph), rows, dimensions })
    }

    /// About the `count` rows nearest to the query with these codes, nearest first.
    pub(crate) fn near(&self, query: &[i8], count: usize) -> impl Iterator<Item = u32> {
        let found = self.graph.search(query, count, count);
        found.into_iter().filter_map(|neighbour| u32::try_from(neighbour.d_id).ok())
    }

    /// Rows that it holds: the first ones.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn bytes(&self) -> usize {
        self.rows * (self.dimensions + BYTES_A_POINT)
    }
}

/// A graph that is being built.
pub(crate) struct Build(Arc<OnceLock<Graph>>);

/// Only one at a time: a build takes a core for minutes.
static BUILDING: Mutex<()> = Mutex::new(());

impl Build {
    pub(crate) fn start(codes: &Codes) -> Self {
        let (codes, done) = (codes.clone(), Arc::new(OnceLock::new()));
        let slot = Arc::downgrade(&done);
        // A build whose user has left ends; without a thread the scan goes on answering.
        let run = move || {
            let _alone = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
            let graph = Graph::new(&codes, || slot.strong_count() > 0);
            graph.zip(slot.upgrade()).map(|(graph, slot)| slot.set(graph));
        };
        if let Err(error) = std::thread::Builder::new().name("graph".to_owned()).spawn(run) {
            tracing::warn!(%error, "no thread for building a graph");
        }
        Self(done)
    }

    pub(crate) fn finished(&self) -> Option<Graph> {
        self.0.get().cloned()
    }
}

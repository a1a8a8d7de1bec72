//! Search by meaning, natively: an exact int8 scan with the CPU's own instructions, and a graph for very many vectors.
//!
//! Which of the two answers, and why: `docs/decisions/0004-index-structure.md`.

mod codes;
mod graph;
mod view;

use codes::Codes;
use graph::{Build, Graph};
use holdfast_search::{Dense, Nearest, Vectors};
pub use view::NearView;

/// A graph is built anew when so many rows came since that a part of this size of it is missing: 1 / 4.
const STALE: usize = 4;

/// What is derived from one user's vectors: thrown away and made again freely.
#[derive(Default)]
pub struct Near {
    codes: Codes,
    graph: Option<Graph>,
    build: Option<Build>,
    graph_from: usize,
}

impl Near {
    /// Nothing yet. From `graph_from` rows on, a graph is built in the background; until it is there the scan answers.
    pub fn new(graph_from: usize) -> Self {
        Self { graph_from, ..Self::default() }
    }

    /// Takes in the rows that came since the last call. Never waits for a graph.
    pub fn follow(&mut self, vectors: &Vectors) {
        self.codes.follow(vectors);
        if let Some(graph) = self.build.as_ref().and_then(Build::finished) {
            self.graph = Some(graph);
            self.build = None;
        }
        let built = self.graph.as_ref().map_or(0, Graph::rows);
        let stale = self.codes.rows() - built > built / STALE;
        if self.codes.rows() >= self.graph_from && stale && self.build.is_none() {
            self.build = Some(Build::start(&self.codes));
        }
    }

    /// The search over the vectors that it follows.
    pub fn on<'a>(&'a self, vectors: &'a Vectors) -> NearView<'a> {
        NearView { codes: &self.codes, graph: self.graph.as_ref(), vectors }
    }

    /// Rows that the graph holds; 0 while the scan answers alone.
    pub fn graphed(&self) -> usize {
        self.graph.as_ref().map_or(0, Graph::rows)
    }

    /// A graph is being built.
    pub fn building(&self) -> bool {
        self.build.is_some()
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        self.codes.bytes() + self.graph.as_ref().map_or(0, Graph::bytes)
    }
}

impl Nearest for Near {
    fn anew(&self) -> Self {
        Self::new(self.graph_from)
    }

    fn follow(&mut self, vectors: &Vectors) {
        Near::follow(self, vectors);
    }

    fn on<'a>(&'a self, vectors: &'a Vectors) -> Box<dyn Dense + 'a> {
        Box::new(Near::on(self, vectors))
    }

    fn bytes(&self) -> usize {
        Near::bytes(self)
    }
}

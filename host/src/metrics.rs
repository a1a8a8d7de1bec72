//! Counters of the host in Prometheus' text form.

use crate::pool::Failure;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the latency buckets, in microseconds.
const BUCKETS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000, 30_000_000,
];

const FIRST_STATUS: u16 = 100;

/// What is counted for one component, or for the host's own routes.
pub struct ComponentMetrics {
    name: Arc<str>,
    statuses: Box<[AtomicU64]>,
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
    /// Instances made since the start.
    pub instances_made: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    memory: AtomicU64,
    busy: AtomicU64,
}

type Gauge = Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>;

/// All counters.
#[derive(Default)]
pub struct Metrics {
    components: Mutex<Vec<Arc<ComponentMetrics>>>,
    gauges: Mutex<Vec<(Arc<str>, Gauge)>>,
    /// Connections open now.
    pub connections: AtomicU64,
}

impl ComponentMetrics {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            statuses: (0..500).map(|_| AtomicU64::new(0)).collect(),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            count: AtomicU64::new(0),
            micros: AtomicU64::new(0),
            instances_made: AtomicU64::new(0),
            traps: AtomicU64::new(0),
            deadlines: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            busy: AtomicU64::new(0),
        }
    }

    /// Id of the component.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One request was answered with `status` after `took`.
    pub fn answered(&self, status: u16, took: Duration) {
        let at = usize::from(status.saturating_sub(FIRST_STATUS));
        if let Some(counter) = self.statuses.get(at) {
            counter.fetch_add(1, Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|bound| micros <= *bound);
        if let Some(counter) = bucket.and_then(|at| self.buckets.get(at)) {
            counter.fetch_add(1, Relaxed);
        }
        self.count.fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
    }

    /// Requests that were answered since the start.
    pub fn requests(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// A request failed inside the host.
    pub fn failed(&self, failure: &Failure) {
        let counter = match failure {
            Failure::Trap(_) => &self.traps,
            Failure::Deadline(_) => &self.deadlines,
            Failure::Memory(_) => &self.memory,
            Failure::Busy => &self.busy,
            _ => return,
        };
        counter.fetch_add(1, Relaxed);
    }

    fn failures(&self) -> [(&'static str, u64); 4] {
        [
            ("trap", self.traps.load(Relaxed)),
            ("deadline", self.deadlines.load(Relaxed)),
            ("memory", self.memory.load(Relaxed)),
            ("busy", self.busy.load(Relaxed)),
        ]
    }
}

impl Metrics {
    /// Counters of a new component.
    pub fn component(&self, name: Arc<str>) -> Arc<ComponentMetrics> {
        let metrics = Arc::new(ComponentMetrics::new(name));
        self.components.lock().unwrap_or_else(PoisonError::into_inner).push(metrics.clone());
        metrics
    }

    /// Adds values that are read when asked for: `holdfast_<name>{component="…"}`.
    pub fn gauge(
        &self,
        component: Arc<str>,
        read: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
    ) {
        let mut gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.push((component, Box::new(read)));
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        render_requests(&mut out, &components);
        render_latency(&mut out, &components);
        render_failures(&mut out, &components);
        drop(components);
        head(&mut out, "connections", "gauge", "connections open now");
        line(&mut out, "connections", "", self.connections.load(Relaxed));
        let gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read: Vec<(&str, String, u64)> = Vec::new();
        for (component, gauge) in gauges.iter() {
            let label = format!("component=\"{component}\"");
            read.extend(gauge().into_iter().map(|(name, value)| (name, label.clone(), value)));
        }
        read.sort();
        let mut last = "";
        for (name, label, value) in &read {
            if *name != last {
                head(&mut out, name, "gauge", "now");
                last = name;
            }
            line(&mut out, name, label, *value);
        }
        out
    }
}

fn render_requests(out: &mut String, components: &[Arc<ComponentMetrics>]) {
    head(out, "requests_total", "counter", "answers by component and status");
    for component in components {
        for (status, counter) in (FIRST_STATUS..).zip(component.statuses.iter()) {
            let count = counter.load(Relaxed);
            if count > 0 {
                let label = format!("component=\"{}\",status=\"{status}\"", component.name);
                line(out, "requests_total", &label, count);
            }
        }
    }
}

fn render_latency(out: &mut String, components: &[Arc<ComponentMetrics>]) {
    let name = "request_seconds";
    head(out, name, "histogram", "from a request's head to its answer's head");
    for component in components {
        let label = format!("component=\"{}\"", component.name);
        let mut sum = 0;
        for (bound, counter) in BUCKETS.iter().zip(&component.buckets) {
            sum += counter.load(Relaxed);
            let le = Duration::from_micros(*bound).as_secs_f64();
            line(out, "request_seconds_bucket", &format!("{label},le=\"{le}\""), sum);
        }
        let count = component.count.load(Relaxed);
        line(out, "request_seconds_bucket", &format!("{label},le=\"+Inf\""), count);
        let seconds = Duration::from_micros(component.micros.load(Relaxed)).as_secs_f64();
        let _ = writeln!(out, "holdfast_request_seconds_sum{{{label}}} {seconds}");
        line(out, "request_seconds_count", &label, count);
    }
}

fn render_failures(out: &mut String, components: &[Arc<ComponentMetrics>]) {
    head(out, "failures_total", "counter", "requests that the host failed, by reason");
    for component in components {
        for (reason, count) in component.failures() {
            let label = format!("component=\"{}\",reason=\"{reason}\"", component.name);
            line(out, "failures_total", &label, count);
        }
    }
    head(out, "instances_made_total", "counter", "instances made since the start");
    for component in components {
        let label = format!("component=\"{}\"", component.name);
        line(out, "instances_made_total", &label, component.instances_made.load(Relaxed));
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP holdfast_{name} {help}\n# TYPE holdfast_{name} {kind}");
}

fn line(out: &mut String, name: &str, label: &str, value: u64) {
    let _ = match label {
        "" => writeln!(out, "holdfast_{name} {value}"),
        label => writeln!(out, "holdfast_{name}{{{label}}} {value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_rendered_with_their_labels() {
        let metrics = Metrics::default();
        let store = metrics.component("store-message".into());
        store.answered(201, Duration::from_millis(3));
        store.answered(201, Duration::from_secs(60));
        store.failed(&Failure::Busy);
        metrics.gauge("store-message".into(), || vec![("instances_idle", 2)]);
        let text = metrics.render();
        for expected in [
            "holdfast_requests_total{component=\"store-message\",status=\"201\"} 2",
            "holdfast_request_seconds_bucket{component=\"store-message\",le=\"0.0025\"} 0",
            "holdfast_request_seconds_bucket{component=\"store-message\",le=\"0.005\"} 1",
            "holdfast_request_seconds_bucket{component=\"store-message\",le=\"+Inf\"} 2",
            "holdfast_failures_total{component=\"store-message\",reason=\"busy\"} 1",
            "holdfast_instances_idle{component=\"store-message\"} 2",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
        }
    }
}

//! What passes through the REST API.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use http::{Method, header};
use http_body::Body as _;

use super::counted::Counted;
use super::report::{Reading, Sample};
use super::timer::{Meter, Timer};

/// The methods that are timed apart; what is none of them is `other`, as with Marathon.
const METHODS: [(&str, Option<Method>); 7] = [
    ("http.requests.get.duration.timer.seconds", Some(Method::GET)),
    ("http.requests.post.duration.timer.seconds", Some(Method::POST)),
    ("http.requests.put.duration.timer.seconds", Some(Method::PUT)),
    ("http.requests.delete.duration.timer.seconds", Some(Method::DELETE)),
    ("http.requests.head.duration.timer.seconds", Some(Method::HEAD)),
    ("http.requests.options.duration.timer.seconds", Some(Method::OPTIONS)),
    ("http.requests.other.duration.timer.seconds", None),
];

const RESPONSES: [&str; 5] = [
    "http.responses.1xx.rate.meter",
    "http.responses.2xx.rate.meter",
    "http.responses.3xx.rate.meter",
    "http.responses.4xx.rate.meter",
    "http.responses.5xx.rate.meter",
];

/// Requests and answers since this process began.
#[derive(Debug)]
pub(super) struct Traffic {
    active: AtomicU64,
    requests: Mutex<Timer>,
    methods: [Mutex<Timer>; METHODS.len()],
    responses: [Mutex<Meter>; RESPONSES.len()],
    request_bytes: Arc<AtomicU64>,
    response_bytes: Arc<AtomicU64>,
    gzipped_bytes: AtomicU64,
    event_bytes: Arc<AtomicU64>,
}

/// A request that is being answered.
pub(in crate::http) struct Handling<'a> {
    traffic: &'a Traffic,
    began: Instant,
    method: Method,
}

impl Drop for Handling<'_> {
    fn drop(&mut self) {
        self.traffic.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Handling<'_> {
    /// Counts the answer, and how long it took until it began: streams go on for as long as somebody reads them.
    pub(in crate::http) fn answered(self, response: Response) -> Response {
        let traffic = self.traffic;
        let (now, lasted) = (Instant::now(), self.began.elapsed());
        let class = usize::from(response.status().as_u16() / 100).clamp(1, RESPONSES.len()) - 1;
        lock(&traffic.responses[class]).mark(now);
        lock(&traffic.requests).record(now, lasted);
        let method = METHODS.iter().position(|(_, method)| method.as_ref() == Some(&self.method));
        lock(&traffic.methods[method.unwrap_or(METHODS.len() - 1)]).record(now, lasted);
        if self.method == Method::HEAD {
            return response;
        }
        match response.body().size_hint().exact() {
            Some(bytes) => {
                traffic.response_bytes.fetch_add(bytes, Ordering::Relaxed);
                if response.headers().contains_key(header::CONTENT_ENCODING) {
                    traffic.gzipped_bytes.fetch_add(bytes, Ordering::Relaxed);
                }
                response
            }
            // The events are counted where they are sent.
            None if super::is_event_stream(&response) => response,
            None => response.map(|body| Counted::body(body, &traffic.response_bytes)),
        }
    }
}

impl Traffic {
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            active: AtomicU64::new(0),
            requests: Mutex::new(Timer::begin(now)),
            methods: std::array::from_fn(|_| Mutex::new(Timer::begin(now))),
            responses: std::array::from_fn(|_| Mutex::new(Meter::begin(now))),
            request_bytes: Arc::default(),
            response_bytes: Arc::default(),
            gzipped_bytes: AtomicU64::new(0),
            event_bytes: Arc::default(),
        }
    }

    pub(super) fn handling(&self, method: &Method) -> Handling<'_> {
        self.active.fetch_add(1, Ordering::Relaxed);
        Handling { traffic: self, began: Instant::now(), method: method.clone() }
    }

    pub(super) fn counted(&self, request: Body) -> Body {
        Counted::body(request, &self.request_bytes)
    }

    pub(super) fn event_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.event_bytes)
    }

    pub(super) fn sample(&self, samples: &mut Vec<Sample>) {
        let now = Instant::now();
        let mut add = |name: &'static str, reading| samples.push(Sample { name: name.into(), reading });
        let count = |count: &AtomicU64| Reading::Counter(count.load(Ordering::Relaxed));
        add("http.requests.active.gauge", Reading::Gauge(self.active.load(Ordering::Relaxed) as f64));
        add("http.requests.size.counter.bytes", count(&self.request_bytes));
        add("http.responses.size.counter.bytes", count(&self.response_bytes));
        add("http.responses.size.gzipped.counter.bytes", count(&self.gzipped_bytes));
        // Marathon's documentation has it under both names.
        add("http.responses.event-stream.size.counter.bytes", count(&self.event_bytes));
        add("http.event-streams.responses.size.counter.bytes", count(&self.event_bytes));
        add("http.requests.duration.timer.seconds", Reading::Timer(lock(&self.requests).durations(now)));
        for ((name, _), timer) in METHODS.iter().zip(&self.methods) {
            add(name, Reading::Timer(lock(timer).durations(now)));
        }
        for (name, meter) in RESPONSES.iter().zip(&self.responses) {
            add(name, Reading::Meter(lock(meter).rates(now)));
        }
    }
}

/// What is guarded is whole between any two of its calls.
fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What the load balancer shows of itself: marathon-lb's endpoints, and metrics for Prometheus.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, Uri, header};

use super::proxy::{Live, Switch};
use super::table::{Balance, Mode, Service, Session};

const TEXT: &str = "text/plain; charset=utf-8";
/// The columns of HAProxy's statistics up to the last one that is filled in here; readers find them by name.
const COLUMNS: &str = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,";

/// The routes of the statistics port.
pub(super) fn router(switch: Arc<Switch>) -> Router {
    Router::new()
        .route("/_haproxy_health_check", get(health))
        .route("/_haproxy_getconfig", get(configuration))
        .route("/_haproxy_getvhostmap", get(host_map))
        .route("/_haproxy_getappmap", get(app_map))
        .route("/_haproxy_getpids", get(process_ids))
        .route("/_mlb_signal/{signal}", get(signal).post(signal))
        .route("/haproxy", get(statistics))
        .route("/metrics", get(metrics))
        .with_state(switch)
}

fn text(body: String) -> Response {
    ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}

/// The table in use, or the answer that there is none.
fn live(switch: &Switch) -> Result<Arc<Live>, (StatusCode, &'static str)> {
    const WHY: &str = "No routes are known yet: the service layer was not reached\n";
    switch.current().ok_or((StatusCode::SERVICE_UNAVAILABLE, WHY))
}

async fn health(State(switch): State<Arc<Switch>>) -> Result<Response, (StatusCode, &'static str)> {
    live(&switch)?;
    Ok(text("Service ready.\n".to_owned()))
}

async fn process_ids() -> Response {
    text(format!("{}\n", std::process::id()))
}

async fn signal(uri: Uri) -> (StatusCode, String) {
    let why = "is refused: this load balancer reads no configuration and needs no reload, it follows the event stream";
    (StatusCode::NOT_IMPLEMENTED, format!("{} {why}\n", uri.path()))
}

/// As marathon-lb names backends: the app's path with underscores, and the service port.
fn backend_name(service: &Service) -> String {
    match service.port {
        Some(port) => format!("{}_{port}", service.id.app.safe_path()),
        None => service.id.to_string(),
    }
}

/// Virtual hosts and their backends, one pair a line.
async fn host_map(State(switch): State<Arc<Switch>>) -> Result<Response, (StatusCode, &'static str)> {
    let live = live(&switch)?;
    let routes =
        live.routes.names.hosts.iter().flat_map(|(host, routes)| routes.iter().map(move |route| (host, route)));
    let mut lines: Vec<String> = routes
        .filter(|(_, route)| route.prefix.is_none())
        .map(|(host, route)| format!("{host} {}\n", backend_name(live.routes.service(route.service))))
        .collect();
    lines.sort_unstable();
    Ok(text(lines.concat()))
}

/// Apps and their backends, one pair a line.
async fn app_map(State(switch): State<Arc<Switch>>) -> Result<Response, (StatusCode, &'static str)> {
    let live = live(&switch)?;
    let lines = live.services.iter().map(|live| format!("{} {}\n", live.service.id.app, backend_name(&live.service)));
    Ok(text(lines.collect()))
}

/// The routes in use, for people.
async fn configuration(State(switch): State<Arc<Switch>>) -> Result<Response, (StatusCode, &'static str)> {
    let live = live(&switch)?;
    let names = &live.routes.names;
    let mut out = String::from("# The routes in use. This is a view; there is no configuration file.\n");
    let mut hosts: Vec<_> = names.hosts.iter().collect();
    hosts.sort_unstable_by_key(|(host, _)| *host);
    for (host, routes) in hosts {
        for route in routes {
            let path = route.prefix.as_deref().unwrap_or("/");
            line(
                &mut out,
                format_args!("host {host} path {path} -> {}", backend_name(live.routes.service(route.service))),
            );
        }
    }
    for (port, route) in &names.ports {
        let mode = match route.mode {
            Mode::Http => "http",
            Mode::Tcp => "tcp",
        };
        line(&mut out, format_args!("port {port} mode {mode} -> {}", backend_name(live.routes.service(route.service))));
    }
    for service in &live.services {
        describe(&mut out, &service.service);
        for upstream in &service.upstreams {
            let backend = &upstream.backend;
            line(&mut out, format_args!("  server {}:{} {}", backend.host, backend.port, backend.task));
        }
    }
    for remark in &names.remarks {
        line(&mut out, format_args!("# {}: {}", remark.app, remark.text));
    }
    Ok(text(out))
}

fn describe(out: &mut String, service: &Service) {
    let balance = match service.balance {
        Balance::RoundRobin => "roundrobin",
        Balance::LeastConnections => "leastconn",
        Balance::Source => "source",
    };
    let session = match service.session {
        Session::Free => "",
        Session::Sticky => " sticky",
    };
    line(out, format_args!("backend {} balance {balance}{session}", backend_name(service)));
    if let Some(why) = service.withheld {
        line(out, format_args!("  # not served: {why}"));
    }
}

fn line(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{arguments}");
}

/// HAProxy's statistics as CSV: a line for each server, and one for each backend.
async fn statistics(State(switch): State<Arc<Switch>>, uri: Uri) -> Result<Response, (StatusCode, &'static str)> {
    if !uri.query().unwrap_or_default().split(';').any(|part| part == "csv") {
        return Err((StatusCode::NOT_FOUND, "The statistics are at /haproxy?stats;csv, metrics at /metrics\n"));
    }
    let live = live(&switch)?;
    let mut out = format!("{COLUMNS}\n");
    for service in &live.services {
        let name = backend_name(&service.service);
        let mut sums = Sums::default();
        for upstream in &service.upstreams {
            let sum = Sums {
                open: upstream.in_progress(),
                total: upstream.count.requests.load(Ordering::Relaxed),
                bytes_in: upstream.count.bytes_in.load(Ordering::Relaxed),
                bytes_out: upstream.count.bytes_out.load(Ordering::Relaxed),
                connect_failures: upstream.count.connect_failures.load(Ordering::Relaxed),
            };
            let backend = &upstream.backend;
            let status = if upstream.is_suspended() { "DOWN" } else { "UP" };
            sum.write(&mut out, &name, &server_name(&backend.host, backend.port), status, 1);
            sums.add(&sum);
        }
        let status = if service.upstreams.is_empty() { "DOWN" } else { "UP" };
        sums.write(&mut out, &name, "BACKEND", status, service.upstreams.len());
    }
    let headers = [(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, out).into_response())
}

/// As marathon-lb names servers: `10_0_0_1_31000`.
fn server_name(host: &str, port: u16) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() || character == '-' { character } else { '_' };
    format!("{}_{port}", host.chars().map(plain).collect::<String>())
}

/// The counts of one line.
#[derive(Default)]
struct Sums {
    open: usize,
    total: u64,
    bytes_in: u64,
    bytes_out: u64,
    connect_failures: u64,
}

impl Sums {
    fn add(&mut self, other: &Sums) {
        self.open += other.open;
        self.total += other.total;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.connect_failures += other.connect_failures;
    }

    fn write(&self, out: &mut String, backend: &str, server: &str, status: &str, active: usize) {
        let Sums { open, total, bytes_in, bytes_out, connect_failures } = self;
        let counts = format_args!("0,0,{open},{open},,{total},{bytes_in},{bytes_out},0,0,,{connect_failures},0,0,0");
        line(out, format_args!("{backend},{server},{counts},{status},1,{active},0,"));
    }
}

/// Prometheus's text format.
async fn metrics(State(switch): State<Arc<Switch>>) -> Response {
    let mut out = String::new();
    let apps = switch.traffic().all();
    let live = switch.current();
    let gauge = |out: &mut String, name: &str, help: &str, value: usize| {
        line(
            out,
            format_args!("# HELP attica_lb_{name} {help}\n# TYPE attica_lb_{name} gauge\nattica_lb_{name} {value}"),
        );
    };
    gauge(&mut out, "ready", "Whether routes are known.", live.is_some().into());
    let count = |count: fn(&Live) -> usize| live.as_deref().map_or(0, count);
    gauge(&mut out, "services", "Ports of apps that are served.", count(|live| live.services.len()));
    let backends = |live: &Live| live.services.iter().map(|service| service.upstreams.len()).sum();
    gauge(&mut out, "backends", "Ports of instances that requests are routed to.", count(backends));
    gauge(&mut out, "virtual_hosts", "Host names that are routed.", count(|live| live.routes.names.hosts.len()));
    let mut per_app = |name: &str, kind: &str, help: &str, value: &dyn Fn(&super::traffic::AppTraffic) -> i64| {
        line(&mut out, format_args!("# HELP attica_lb_{name} {help}\n# TYPE attica_lb_{name} {kind}"));
        for (app, traffic) in &apps {
            line(&mut out, format_args!("attica_lb_{name}{{app=\"{app}\"}} {}", value(traffic)));
        }
    };
    let total = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed).cast_signed();
    per_app("requests_total", "counter", "Requests, and connections in TCP mode.", &|app| total(&app.requests));
    per_app("errors_total", "counter", "Answers 5xx, and requests without one.", &|app| total(&app.errors));
    per_app("open_requests", "gauge", "Requests and connections in progress.", &|app| app.open.load(Ordering::Relaxed));
    per_app("received_bytes_total", "counter", "Bytes of requests' bodies.", &|app| total(&app.bytes_in));
    per_app("sent_bytes_total", "counter", "Bytes of answers' bodies.", &|app| total(&app.bytes_out));
    text(out)
}

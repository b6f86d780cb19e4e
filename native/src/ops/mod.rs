//! The operations plane: how the server is, for machines and for people.

mod metrics;
mod process;
mod report;

use std::borrow::Cow;

use gocache_core::Status;

pub(crate) use report::{GroupReport, Report};

use crate::{
    answer::{Answer, Text},
    http1::Request,
    plane::{Plane, Reply},
    turn::Turn,
};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";

/// The operations plane as one connection meets it in one turn. Only the pages that report ask the
/// core, and so take its locks.
pub(crate) struct OpsPlane<'a> {
    pub(crate) of: &'a dyn Reports,
}

/// What can be told of.
pub(crate) trait Reports {
    fn report(&self) -> Report;
}

impl Plane for OpsPlane<'_> {
    fn ask(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Reply {
        let path = request.target.split(|&byte| byte == b'?').next().unwrap_or_default();
        let known = matches!(path, b"/healthz" | b"/readyz" | b"/metrics" | b"/stats");
        let stage = if turn.draining { "draining" } else { "ready" };
        Reply::Now(match path {
            _ if known && !request.method.is_read() => {
                Answer::line(Status::MethodNotAllowed, "this page has GET and HEAD only")
            }
            b"/healthz" => Answer::line(Status::Ok, "alive"),
            b"/readyz" if turn.draining => Answer::line(Status::ServiceUnavailable, stage),
            b"/readyz" => Answer::line(Status::Ok, stage),
            b"/metrics" => match metrics::render(self.of.report()) {
                Ok(body) => page(OPENMETRICS, body),
                Err(_) => {
                    Answer::line(Status::InternalServerError, "the metrics cannot be rendered")
                }
            },
            b"/stats" => page(JSON, self.of.report().json(stage)),
            _ => Answer::line(Status::NotFound, "here are /metrics, /stats, /healthz and /readyz"),
        })
    }
}

fn page(content_type: &'static str, body: String) -> Answer {
    Answer::Text(Text { status: Status::Ok, content_type, body: Cow::Owned(body), field: None })
}

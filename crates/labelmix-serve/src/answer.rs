//! From a request to an answer, without waiting for anything: what the server state says, or why not.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use labelmix_report::{LivePage, live_page, studies_page};
use serde::Serialize;

use crate::access::{Access, Entry, Refusal};
use crate::progress::{ResultsSeen, StudiesSeen, StudyLine, StudySeen};
use crate::results::data_of_nothing;
use crate::route::{Part, Route};
use crate::state::{ServerState, State, StudyState};

/// An answer.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What requests are answered from.
pub(crate) struct RequestHandler {
    pub(crate) access: Access,
    pub(crate) server_state: Arc<ServerState>,
    /// The store's folder, to be told.
    pub(crate) store: PathBuf,
}

/// What every answer forbids: to be kept, framed, taken for something else, or to tell others where a reader came from.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
const NOTHING: &str = "default-src 'none'";

impl RequestHandler {
    /// The answer to a request that came to this address of the machine.
    pub(crate) fn answer(&self, request: &Parts, came_to: IpAddr) -> Answer {
        let entry = match self.access.check(request, came_to) {
            Ok(entry) => entry,
            Err(refusal) => return refused(refusal),
        };
        let Some(route) = Route::of(request.uri.path()) else { return not_found() };
        let (study, part) = match route {
            Route::Studies if entry == Entry::ByAddress => return self.redirect(entry, "/"),
            Route::Studies => {
                drop(self.server_state.ask(None));
                return live(studies_page());
            }
            Route::StudiesData => return json(&self.studies(&self.server_state.ask(None))),
            Route::Study(study, part) => (study, part),
        };
        let state = self.server_state.ask(Some(&study));
        let Some(known) = state.studies.get(&study) else { return not_found() };
        match part {
            Part::Page if entry == Entry::Usual => page(&study, known),
            Part::Page | Part::PageWithoutSlash => self.redirect(entry, &Route::page_of(&study)),
            Part::Status => json(&status(&state, known)),
            Part::Data => data(&study, known),
        }
    }

    fn studies<'a>(&self, state: &'a State) -> StudiesSeen<'a> {
        let line = |(study, known): (&'a String, &'a StudyState)| StudyLine {
            study,
            progress: known.progress.as_ref(),
            problem: known.problem.as_deref(),
        };
        StudiesSeen {
            store: self.store.display().to_string(),
            looked: state.looked,
            problem: state.problem.as_deref(),
            studies: state.studies.iter().map(line).collect(),
        }
    }

    /// To a page of this server; the token, if it was in the address, goes into a cookie.
    fn redirect(&self, entry: Entry, to: &str) -> Answer {
        let mut answer = text(StatusCode::SEE_OTHER, to);
        put(&mut answer, header::LOCATION, to);
        if let (Entry::ByAddress, Some(cookie)) = (entry, self.access.cookie()) {
            put(&mut answer, header::SET_COOKIE, &cookie);
        }
        answer
    }
}

fn page(study: &str, known: &StudyState) -> Answer {
    match &known.results {
        Some(results) => html(results.html.clone(), &results.policy),
        None => live(live_page(study, &data_of_nothing(study, known.plan.as_deref()), "")),
    }
}

fn status<'a>(state: &'a State, known: &'a StudyState) -> StudySeen<'a> {
    let results = known.results.as_deref();
    let own = results.map_or(&[][..], |results| &results.notes).iter().map(String::as_str).chain(known.failure);
    StudySeen {
        looked: state.looked,
        progress: known.progress.as_ref(),
        results: ResultsSeen {
            version: results.map(|results| results.version.as_str()),
            runs: results.map_or(0, |results| results.runs),
            doing: known.doing,
        },
        notes: state.problem.as_deref().into_iter().chain(known.problem.as_deref()).chain(own).collect(),
    }
}

fn data(study: &str, known: &StudyState) -> Answer {
    let (body, version) = match &known.results {
        Some(results) => (results.data.clone(), results.version.as_str()),
        None => (data_of_nothing(study, known.plan.as_deref()).into(), ""),
    };
    let mut answer = with_body(StatusCode::OK, "application/json", NOTHING, body);
    put(&mut answer, header::ETAG, &format!("\"{version}\""));
    answer
}

fn live(LivePage { html: page, policy }: LivePage) -> Answer {
    html(page.into(), &policy)
}

fn html(page: Bytes, policy: &str) -> Answer {
    with_body(StatusCode::OK, "text/html; charset=utf-8", &format!("{policy}; frame-ancestors 'none'"), page)
}

fn json(value: &impl Serialize) -> Answer {
    let json = serde_json::to_vec(value).expect("texts, numbers and lists of them become JSON");
    with_body(StatusCode::OK, "application/json", NOTHING, json.into())
}

fn text(status: StatusCode, text: &str) -> Answer {
    with_body(status, "text/plain; charset=utf-8", NOTHING, format!("{text}\n").into())
}

fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "There is no such page. The list of studies is at /")
}

fn refused(refusal: Refusal) -> Answer {
    let (status, words) = refusal.in_words();
    let mut answer = text(status, words);
    match refusal {
        Refusal::Method => put(&mut answer, header::ALLOW, "GET, HEAD"),
        Refusal::Token => put(&mut answer, header::WWW_AUTHENTICATE, "Bearer"),
        Refusal::Host | Refusal::Site => {}
    }
    answer
}

fn with_body(status: StatusCode, kind: &'static str, policy: &str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    put(&mut answer, header::CONTENT_TYPE, kind);
    put(&mut answer, header::CONTENT_SECURITY_POLICY, policy);
    answer
}

fn put(answer: &mut Answer, name: HeaderName, value: &str) {
    // Policies, addresses and cookies are made here, of visible ASCII.
    let value = HeaderValue::from_str(value).expect("a header of visible letters");
    answer.headers_mut().insert(name, value);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use hyper::Request;
    use proptest::prelude::*;

    use super::*;
    use crate::poller::take_note;
    use crate::token::Token;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn handler(token: Option<Token>) -> RequestHandler {
        let server_state = Arc::new(ServerState::default());
        take_note(&server_state, BTreeMap::new(), &["small".to_owned()]);
        RequestHandler { access: Access::new(8731, &[], token).unwrap(), server_state, store: PathBuf::from("store") }
    }

    fn get(handler: &RequestHandler, path: &str) -> Answer {
        let request = Request::builder().uri(path).header("host", "localhost:8731").body(()).unwrap();
        handler.answer(&request.into_parts().0, HERE)
    }

    #[test]
    fn pages_and_data_of_a_study_without_results() {
        let handler = handler(None);
        for (path, status, kind) in [
            ("/", 200, "text/html; charset=utf-8"),
            ("/studies.json", 200, "application/json"),
            ("/study/small/", 200, "text/html; charset=utf-8"),
            ("/study/small/status.json?x=y", 200, "application/json"),
            ("/study/small/data.json", 200, "application/json"),
            ("/study/small", 303, "text/plain; charset=utf-8"),
            ("/study/none/", 404, "text/plain; charset=utf-8"),
        ] {
            let answer = get(&handler, path);
            assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (status, &kind.parse().unwrap()));
            assert!(HEADERS.iter().all(|(name, value)| answer.headers()[name] == *value), "{path}");
            let policy = answer.headers()["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        }
        assert_eq!(get(&handler, "/study/small").headers()["location"], "/study/small/");
    }

    #[test]
    fn a_token_in_an_address_leads_to_this_servers_own_pages_alone() {
        let handler = handler(Some(Token::given("0123456789abcdef", "test").unwrap()));
        let lead = |path: &str| {
            let answer = get(&handler, &format!("{path}?token=0123456789abcdef"));
            answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned())
        };
        assert_eq!(lead("/").as_deref(), Some("/"));
        assert_eq!(lead("/study/small").as_deref(), Some("/study/small/"));
        assert_eq!(lead("/study/%73mall/").as_deref(), Some("/study/small/"));
        for elsewhere in ["//evil.example/", "/study//evil.example/", "/study/none/", "/\\evil.example/"] {
            assert_eq!(lead(elsewhere), None, "{elsewhere}");
        }
        assert_eq!(get(&handler, "/study/none/").status(), 401, "who may not ask is not told what there is");
    }

    proptest! {
        #[test]
        fn what_is_not_of_a_known_study_is_not_found(path in "/[a-z%./\\\\0-9]{0,40}|/study/(small|%73mall|[a-z.%]{0,8})[a-z./%]{0,16}") {
            let Ok(uri) = path.parse::<hyper::Uri>() else { return Ok(()) };
            prop_assume!(uri.authority().is_none());
            let status = get(&handler(None), &path).status().as_u16();
            let of_small = ["/study/small", "/study/%73mall"].iter().any(|known| path.starts_with(known));
            prop_assert!(status == 404 || of_small || ["/", "/studies.json"].contains(&&*path), "{path}: {status}");
        }
    }
}

//! Who may ask: by which names, from which pages, with which token.
//!
//! A page of another site can make a browser ask this server, and can, by giving its own name this server's address
//! (DNS rebinding), pass for the same site. So a request has to name a host that is this server's: the address that the
//! connection came to, `localhost` for a loopback one, or a name that was given. And a browser says from where a page asks:
//! only this server's own pages may, and links may lead to pages.

use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, StatusCode, Uri};

use crate::error::ServeError;
use crate::token::Token;

/// What is asked of a request.
#[derive(Debug)]
pub(crate) struct Access {
    port: u16,
    /// Names beside the address itself, in lower case, as requests write them.
    names: Vec<String>,
    token: Option<Token>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It names a host that is not this one, or none, or several.
    Host,
    /// It wants to change something.
    Method,
    /// It comes from a page of another site.
    Site,
    /// It has no token, or a wrong one.
    Token,
}

impl Refusal {
    /// The status, and what a person is told.
    pub(crate) fn in_words(self) -> (StatusCode, &'static str) {
        match self {
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "This server does not go by that name. Open the address that labelmix printed; `--host NAME:PORT` adds a name.",
            ),
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, "There is nothing to change here: only GET and HEAD are answered.")
            }
            Self::Site => (StatusCode::FORBIDDEN, "Pages of other sites are not answered."),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "This server asks for its token: open the address that labelmix printed, or send `Authorization: Bearer TOKEN`.",
            ),
        }
    }
}

/// How a request got in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Like any other.
    Usual,
    /// With the token in its address, which is better kept in a cookie.
    ByAddress,
}

impl Access {
    /// # Errors
    /// If a name is none.
    pub(crate) fn new(port: u16, names: &[String], token: Option<Token>) -> Result<Self, ServeError> {
        let mut known = Vec::new();
        for name in names {
            let authority = name.parse::<Authority>().ok().filter(|authority| !authority.host().is_empty());
            let authority = authority.filter(|_| !name.contains('@'));
            let authority = authority.ok_or_else(|| ServeError::Host { name: name.clone() })?;
            let name = name.to_ascii_lowercase();
            // One without a port is reached at this server's, or behind another server at the usual one.
            if authority.port().is_none() {
                known.push(format!("{name}:{port}"));
            }
            known.push(name);
        }
        Ok(Self { port, names: known, token })
    }

    /// Whether a name leads to this machine alone.
    pub(crate) fn is_local_name(name: &str) -> bool {
        let Ok(authority) = name.parse::<Authority>() else { return false };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The name of the cookie that keeps the token: cookies know hosts and no ports.
    fn cookie_name(&self) -> String {
        format!("labelmix-{}", self.port)
    }

    /// The cookie that keeps the token, if there is one. Pages' scripts do not see it; other sites' requests go without it.
    pub(crate) fn cookie(&self) -> Option<String> {
        let token = self.token.as_ref()?;
        Some(format!("{}={}; HttpOnly; SameSite=Lax; Path=/", self.cookie_name(), token.reveal()))
    }

    /// Whether a request that came to this address of the machine is answered.
    pub(crate) fn check(&self, request: &Parts, came_to: IpAddr) -> Result<Entry, Refusal> {
        let named = the_only(&request.headers, HOST.as_str()).ok_or(Refusal::Host)?;
        let in_address = request.uri.authority().map(Authority::as_str);
        if !std::iter::once(named).chain(in_address).all(|name| self.goes_by(name, came_to)) {
            return Err(Refusal::Host);
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            return Err(Refusal::Method);
        }
        if !self.comes_from_here(&request.headers, came_to) {
            return Err(Refusal::Site);
        }
        let Some(token) = &self.token else { return Ok(Entry::Usual) };
        if self.offered(&request.headers).any(|offered| token.is(offered)) {
            Ok(Entry::Usual)
        } else if in_query(&request.uri).is_some_and(|offered| token.is(offered)) {
            Ok(Entry::ByAddress)
        } else {
            Err(Refusal::Token)
        }
    }

    /// Whether this is a name of this server.
    fn goes_by(&self, name: &str, came_to: IpAddr) -> bool {
        let name = name.to_ascii_lowercase();
        let is = |known: &str| {
            name.strip_prefix(known).is_some_and(|rest| {
                rest.strip_prefix(':').is_some_and(|port| port == self.port.to_string())
                    || (rest.is_empty() && self.port == 80)
            })
        };
        let literal = |address: IpAddr| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let came_to = came_to.to_canonical();
        is(&literal(came_to))
            || (came_to.is_loopback() && ["127.0.0.1", "localhost", "[::1]"].into_iter().any(is))
            || self.names.contains(&name)
    }

    /// Whether a browser says that one of this server's pages asks, or a person who opens a page; other programs say
    /// nothing.
    fn comes_from_here(&self, headers: &HeaderMap, came_to: IpAddr) -> bool {
        let own_origin = headers.get_all(ORIGIN).iter().all(|origin| {
            let origin = origin.to_str().unwrap_or_default();
            let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            host.is_some_and(|host| self.goes_by(host, came_to))
        });
        let says = |name: &str, value: &str| the_only(headers, name) == Some(value);
        let own_site = !headers.contains_key(SITE) || says(SITE, "same-origin") || says(SITE, "none");
        // A link in a mail or in a terminal that is a page itself.
        let opens_page = says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
        own_origin && (own_site || opens_page)
    }

    /// The tokens that headers offer.
    fn offered<'a>(&self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let text = |value: &'a hyper::header::HeaderValue| value.to_str().ok();
        let bearer =
            headers.get_all(AUTHORIZATION).iter().filter_map(text).filter_map(|value| value.strip_prefix("Bearer "));
        let name = self.cookie_name();
        let cookies = headers.get_all(COOKIE).iter().filter_map(text).flat_map(|cookies| cookies.split(';'));
        let cookies = cookies.filter_map(move |cookie| cookie.trim().strip_prefix(&*name)?.strip_prefix('='));
        bearer.chain(cookies)
    }
}

const SITE: &str = "sec-fetch-site";

/// A header that is there once, and is text.
fn the_only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The token in an address.
fn in_query(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|field| field.strip_prefix("token="))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hyper::Request;
    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn asked(access: &Access, host: &str) -> Result<Entry, Refusal> {
        access.check(&request("GET", "/", &[("host", host)]), HERE)
    }

    #[test]
    fn only_its_own_names() {
        let access = Access::new(8731, &["Tunnel.example:9000".to_owned(), "[fd00::7]".to_owned()], None).unwrap();
        for host in [
            "127.0.0.1:8731",
            "localhost:8731",
            "LOCALHOST:8731",
            "[::1]:8731",
            "tunnel.example:9000",
            "[fd00::7]",
            "[fd00::7]:8731",
        ] {
            assert_eq!(asked(&access, host), Ok(Entry::Usual), "{host}");
        }
        for host in [
            "",
            "localhost",
            "127.0.0.1",
            "localhost:80",
            "localhost:87311",
            "evil.example",
            "evil.example:8731",
            "localhost.evil.example:8731",
            "localhost.:8731",
            "127.0.0.1.nip.io:8731",
            "127.0.0.2:8731",
            "0.0.0.0:8731",
            "user@localhost:8731",
            "localhost:8731@evil.example",
            "localhost:8731, evil.example",
            "tunnel.example",
            "tunnel.example:8731",
            "tunnel.example:9000:8731",
            "[::ffff:127.0.0.1]:8731",
            "127.1:8731",
            "2130706433:8731",
            "localhost :8731",
            "localhost:8731/..",
        ] {
            assert_eq!(asked(&access, host), Err(Refusal::Host), "{host:?}");
        }
        // None, several, and one in the address.
        assert_eq!(access.check(&request("GET", "/", &[]), HERE), Err(Refusal::Host));
        let twice = [("host", "localhost:8731"), ("host", "localhost:8731")];
        assert_eq!(access.check(&request("GET", "/", &twice), HERE), Err(Refusal::Host));
        let absolute = request("GET", "http://evil.example/", &[("host", "localhost:8731")]);
        assert_eq!(access.check(&absolute, HERE), Err(Refusal::Host));
    }

    #[test]
    fn the_address_that_a_connection_came_to_is_a_name() {
        let access = Access::new(8731, &[], None).unwrap();
        let at = |host: &str, came_to: &str| {
            access.check(&request("GET", "/", &[("host", host)]), came_to.parse().unwrap()).is_ok()
        };
        assert!(
            at("10.0.0.5:8731", "10.0.0.5")
                && at("10.0.0.5:8731", "::ffff:10.0.0.5")
                && at("[fd00::5]:8731", "fd00::5")
        );
        assert!(
            !at("localhost:8731", "10.0.0.5") && !at("10.0.0.6:8731", "10.0.0.5") && !at("10.0.0.5:8731", "127.0.0.1")
        );
        let usual_port = Access::new(80, &[], None).unwrap();
        assert_eq!(asked(&usual_port, "localhost"), Ok(Entry::Usual));
    }

    #[test]
    fn nothing_but_get_and_head() {
        let access = Access::new(8731, &[], None).unwrap();
        let host = [("host", "localhost:8731")];
        assert_eq!(access.check(&request("HEAD", "/", &host), HERE), Ok(Entry::Usual));
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"] {
            assert_eq!(access.check(&request(method, "/", &host), HERE), Err(Refusal::Method), "{method}");
        }
    }

    #[test]
    fn other_sites_pages_are_refused_and_links_are_not() {
        let access = Access::new(8731, &["tunnel.example".to_owned()], None).unwrap();
        let with = |headers: &[(&str, &str)]| {
            let headers: Vec<(&str, &str)> = [("host", "localhost:8731")].iter().chain(headers).copied().collect();
            access.check(&request("GET", "/", &headers), HERE)
        };
        for fine in [
            &[][..],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://localhost:8731")],
            &[("origin", "https://tunnel.example")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
        ] {
            assert_eq!(with(fine), Ok(Entry::Usual), "{fine:?}");
        }
        for foreign in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
            &[("origin", "null")],
            &[("origin", "")],
            &[("origin", "http://evil.example")],
            &[("origin", "http://localhost:8000")],
            &[("origin", "http://localhost:8731"), ("origin", "http://evil.example")],
            &[("origin", "file://")],
        ] {
            assert_eq!(with(foreign), Err(Refusal::Site), "{foreign:?}");
        }
    }

    #[test]
    fn the_token_by_header_cookie_or_address() {
        const TOKEN: &str = "0123456789abcdef";
        let access = Access::new(8731, &[], Some(Token::given(TOKEN, "test").unwrap())).unwrap();
        let with = |uri: &str, headers: &[(&str, &str)]| {
            let headers: Vec<(&str, &str)> = [("host", "localhost:8731")].iter().chain(headers).copied().collect();
            access.check(&request("GET", uri, &headers), HERE)
        };
        assert_eq!(with("/", &[("authorization", "Bearer 0123456789abcdef")]), Ok(Entry::Usual));
        assert_eq!(with("/", &[("cookie", "a=b; labelmix-8731=0123456789abcdef; c")]), Ok(Entry::Usual));
        assert_eq!(with("/?a&token=0123456789abcdef", &[]), Ok(Entry::ByAddress));
        for (uri, headers) in [
            ("/", &[][..]),
            ("/?token=", &[]),
            ("/?token=0123456789abcdeX", &[]),
            ("/?token=0123456789abcde", &[]),
            ("/?token=0123456789abcdef0", &[]),
            ("/?nottoken=0123456789abcdef", &[]),
            ("/", &[("authorization", "Basic 0123456789abcdef")]),
            ("/", &[("authorization", "Bearer")]),
            ("/", &[("cookie", "labelmix-9999=0123456789abcdef")]),
            ("/", &[("cookie", "labelmix-8731=")]),
        ] {
            assert_eq!(with(uri, headers), Err(Refusal::Token), "{uri} {headers:?}");
        }
        assert_eq!(access.cookie().unwrap(), "labelmix-8731=0123456789abcdef; HttpOnly; SameSite=Lax; Path=/");
    }

    #[test]
    fn names_that_are_none_and_names_of_this_machine() {
        for name in ["", "a b", "http://x", "user@host", "x/y"] {
            assert!(Access::new(1, &[name.to_owned()], None).is_err(), "{name:?}");
        }
        assert!(["localhost", "LocalHost:9000", "127.0.0.1:1", "[::1]:5"].into_iter().all(Access::is_local_name));
        assert!(!["example.org", "localhost.example.org", "10.0.0.1", ""].into_iter().any(Access::is_local_name));
    }

    proptest! {
        #[test]
        fn no_other_host_gets_in(host in "[a-zA-Z0-9.:@\\[\\]-]{0,30}") {
            let access = Access::new(8731, &[], None).unwrap();
            let own = ["127.0.0.1:8731", "localhost:8731", "[::1]:8731"];
            if !own.contains(&host.to_ascii_lowercase().as_str()) {
                prop_assert_eq!(asked(&access, &host), Err(Refusal::Host));
            }
        }
    }
}

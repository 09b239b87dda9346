//! The few things that must be known of an address: whose it is, and how to show it.

use ureq::http::Uri;

/// Scheme, host and port, in a form in which equal origins are equal texts. `None` for what is no HTTP address.
pub fn origin(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = uri.host()?.to_ascii_lowercase();
    Some(format!("{scheme}://{host}:{}", uri.port_u16().unwrap_or(usual_port)))
}

/// Whether an address is that of a service: a host and a path, without a user's name, a query or a fragment.
pub fn is_http(address: &str) -> bool {
    origin(address).is_some() && !address.contains(['@', '?', '#'])
}

/// The address without its query: that of a storage host is a key to the file, and nobody else's business.
pub fn without_query(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or(address)
}

/// The address's host, for messages.
pub fn host(address: &str) -> String {
    address.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_else(|| address.to_owned())
}

/// Whether the address is this machine's own, which no proxy can reach.
pub(crate) fn is_loopback(address: &str) -> bool {
    let host = host(address);
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}

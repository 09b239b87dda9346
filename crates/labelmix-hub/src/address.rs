//! The few things that must be known of an address: whose it is, where a redirect leads, and how to show it.

use ureq::http::Uri;

/// Scheme, host and port, in a form in which equal origins are equal texts. `None` for what is no HTTP address.
pub(crate) fn origin(address: &str) -> Option<String> {
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

/// Where a redirect leads that was answered to `from`.
pub(crate) fn target(from: &str, location: &str) -> Option<String> {
    let target = if location.contains("://") && !location.starts_with('/') {
        location.to_owned()
    } else if let Some(elsewhere) = location.strip_prefix("//") {
        let (scheme, _) = from.split_once("://")?;
        format!("{scheme}://{elsewhere}")
    } else {
        let path = without_query(from);
        let authority_start = path.find("://")? + 3;
        let path_start = path[authority_start..].find('/').map_or(path.len(), |slash| authority_start + slash);
        if location.starts_with('/') {
            format!("{}{location}", &path[..path_start])
        } else {
            let folder_end = path[path_start..].rfind('/').map_or(path.len(), |slash| path_start + slash);
            format!("{}/{location}", &path[..folder_end])
        }
    };
    origin(&target).map(|_| target)
}

/// The address without its query: that of a storage host is a key to the file, and nobody else's business.
pub(crate) fn without_query(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or(address)
}

/// The address's host, for messages.
pub(crate) fn host(address: &str) -> String {
    address.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_else(|| address.to_owned())
}

/// Whether the address is this machine's own, which no proxy can reach.
pub(crate) fn is_loopback(address: &str) -> bool {
    let host = host(address);
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}

//! Where redirects lead.

use labelmix_http::{origin, without_query};

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

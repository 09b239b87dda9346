//! What a path asks for. A path is taken apart into names, and a name is looked up among the studies that the store has:
//! nothing here, nor behind it, makes a path of files of what a request says.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The list of studies.
    Studies,
    /// The same as data.
    StudiesData,
    /// Something of the study of this name, if there is one.
    Study(String, Part),
}

/// What can be asked for of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Page,
    /// The same, named without the slash that addresses in it need.
    PageWithoutSlash,
    /// How far it is.
    Status,
    Data,
}

/// What a name may keep in an address.
const IN_AN_ADDRESS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Route {
    /// None for a path that asks for nothing that there is.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let (study, part) = match parts[..] {
            [""] => return Some(Self::Studies),
            ["studies.json"] => return Some(Self::StudiesData),
            ["study", study] => (study, Part::PageWithoutSlash),
            ["study", study, ""] => (study, Part::Page),
            ["study", study, "status.json"] => (study, Part::Status),
            ["study", study, "data.json"] => (study, Part::Data),
            _ => return None,
        };
        Some(Self::Study(name(study)?, part))
    }

    /// The address of a study's page.
    pub(crate) fn page_of(study: &str) -> String {
        format!("/study/{}/", utf8_percent_encode(study, IN_AN_ADDRESS))
    }
}

/// The name that a part of a path stands for, decoded once; none if no folder can have it.
fn name(part: &str) -> Option<String> {
    let name = percent_decode_str(part).decode_utf8().ok()?;
    let forbidden = |letter: char| letter == '/' || letter == '\\' || letter.is_control();
    let is_name = !matches!(&*name, "" | "." | "..") && !name.contains(forbidden);
    is_name.then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_that_ask_for_something() {
        let of = |study: &str, part| Route::Study(study.to_owned(), part);
        for (path, route) in [
            ("/", Route::Studies),
            ("/studies.json", Route::StudiesData),
            ("/study/small", of("small", Part::PageWithoutSlash)),
            ("/study/small/", of("small", Part::Page)),
            ("/study/%73mall/", of("small", Part::Page)),
            ("/study/small/status.json", of("small", Part::Status)),
            ("/study/small/data.json", of("small", Part::Data)),
            ("/study/a%20b/", of("a b", Part::Page)),
        ] {
            assert_eq!(Route::of(path), Some(route), "{path}");
        }
    }

    #[test]
    fn paths_that_try_to_leave() {
        for path in [
            "",
            "*",
            "//",
            "/..",
            "/../",
            "/%2e%2e/",
            "/study/../",
            "/study/%2e%2e/",
            "/study/%2E./data.json",
            "/study/..%2f..%2fetc%2fpasswd/",
            "/study/..%5c..%5cetc/",
            "/study/..\\..\\etc/",
            "/study/%00/",
            "/study/a%00b/",
            "/study/small/../../etc/passwd",
            "/study/small/%2e%2e/%2e%2e/etc/passwd",
            "/study//",
            "/study/./",
            "/study/%2fetc%2fpasswd/",
            "//etc/passwd",
            "/etc/passwd",
            "/study/small/report.html",
            "/study/%ff/",
            "/study/small/data.json/",
            "/study/small/data.json/..",
            "/study/small//data.json",
            "/study/C:\\/",
            "/study/a%0d%0ab/",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
        // Decoded once: what is left is a name that no study has, and not a way up.
        assert_eq!(Route::of("/study/%252e%252e/"), Some(Route::Study("%2e%2e".to_owned(), Part::Page)));
    }

    proptest! {
        #[test]
        fn no_path_names_anything_but_one_folder(path in prop_oneof![
            ".{0,60}",
            "/(study|studies.json|\\.\\.|%2e|%2E|%2f|%5c|%00|\\\\|/|\\.|[a-z]|[%./\\\\a-f0-9]){0,12}",
        ]) {
            let Some(Route::Study(study, _)) = Route::of(&path) else { return Ok(()) };
            let mut components = std::path::Path::new(&study).components();
            prop_assert!(matches!(components.next(), Some(std::path::Component::Normal(_))), "{study}");
            prop_assert!(components.next().is_none(), "{study}");
            // A name is found again by the address that is made of it.
            prop_assert_eq!(Route::of(&Route::page_of(&study)), Some(Route::Study(study, Part::Page)));
        }
    }
}

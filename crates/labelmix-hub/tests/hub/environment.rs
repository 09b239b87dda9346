//! Settings from the environment, as Python's `huggingface_hub` reads it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use labelmix_http::{Connections, Secret};
use labelmix_hub::{Access, Hub, Links, Settings, SettingsError};
use miette::Diagnostic;
use tempfile::TempDir;

fn settings(variables: &[(&str, &str)]) -> Settings {
    try_settings(variables).unwrap()
}

fn try_settings(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    Settings::from_variables(variable)
}

fn cache(variables: &[(&str, &str)]) -> String {
    settings(variables).cache.to_string_lossy().replace('\\', "/")
}

#[test]
fn place_of_the_cache() {
    let home = ("HOME", "/home/ann");
    assert_eq!(cache(&[home]), "/home/ann/.cache/huggingface/hub");
    assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "/fast")]), "/fast/huggingface/hub");
    assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "/fast"), ("HF_HOME", "/hf")]), "/hf/hub");
    assert_eq!(cache(&[home, ("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/old")]), "/old");
    assert_eq!(cache(&[home, ("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/new")]), "/new");
    assert_eq!(cache(&[home, ("HF_HUB_CACHE", "")]), "/home/ann/.cache/huggingface/hub");
}

#[test]
fn home_and_variables_in_paths() {
    let home = ("HOME", "/home/ann");
    assert_eq!(cache(&[home, ("HF_HOME", "~/hf")]), "/home/ann/hf/hub");
    assert_eq!(cache(&[home, ("HF_HOME", "~bob/hf")]), "~bob/hf/hub");
    assert_eq!(cache(&[home, ("SCRATCH", "/s"), ("HF_HOME", "$SCRATCH/hf")]), "/s/hf/hub");
    assert_eq!(cache(&[home, ("SCRATCH", "/s"), ("HF_HUB_CACHE", "${SCRATCH}hf/$NOT_SET/$")]), "/shf/$NOT_SET/$");
}

#[test]
fn switches() {
    assert_eq!(settings(&[("HOME", "/h")]).access, Access::Online);
    assert_eq!(settings(&[("HOME", "/h"), ("HF_HUB_OFFLINE", "1")]).access, Access::Offline);
    assert_eq!(settings(&[("HOME", "/h"), ("TRANSFORMERS_OFFLINE", "yes")]).access, Access::Offline);
    let contradictory = [("HOME", "/h"), ("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")];
    assert_eq!(settings(&contradictory).access, Access::Online);
    assert_eq!(settings(&[("HOME", "/h"), ("HF_HUB_DISABLE_SYMLINKS", "TRUE")]).links, Links::Copies);
    let endpoint = [("HOME", "/h"), ("HF_ENDPOINT", "https://mirror.example/hf/")];
    assert_eq!(settings(&endpoint).endpoint, "https://mirror.example/hf/");
    assert_eq!(settings(&[("HOME", "/h")]).endpoint, "https://huggingface.co");
}

#[test]
fn places_of_the_token() {
    let folder = TempDir::new().unwrap();
    let home = folder.path().to_str().unwrap();
    assert_eq!(settings(&[("HF_HOME", home)]).token, None);
    std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
    std::fs::write(folder.path().join("other"), "hf_other").unwrap();
    let other = folder.path().join("other");
    let file = ("HF_TOKEN_PATH", other.to_str().unwrap());
    let token = |variables: &[(&str, &str)]| settings(&[&[("HF_HOME", home)], variables].concat()).token;
    assert_eq!(token(&[]), Secret::new("hf_file"));
    assert_eq!(token(&[file]), Secret::new("hf_other"));
    assert_eq!(token(&[file, ("HUGGING_FACE_HUB_TOKEN", "hf_old")]), Secret::new("hf_old"));
    assert_eq!(token(&[("HUGGING_FACE_HUB_TOKEN", "hf_old"), ("HF_TOKEN", " hf_new\n")]), Secret::new("hf_new"));
    assert_eq!(token(&[("HF_TOKEN", "hf_new"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
}

#[test]
fn a_token_is_never_shown() {
    let settings = settings(&[("HOME", "/h"), ("HF_TOKEN", "hf_secret")]);
    assert!(!format!("{settings:?}").contains("hf_secret"));
    let malformed = Settings { token: Secret::new("hf_secret\u{e9}"), ..Settings::new("/cache") };
    let error = Hub::new(malformed).err().unwrap();
    assert!(!format!("{error} {error:?}").contains("hf_secret"));
    assert_snapshot!(report(&error), @r"
    the Hugging Face token holds a character that no token has (it is not shown here)
    hint: copy it again from https://huggingface.co/settings/tokens into HF_TOKEN: letters, digits and `_`, all on one line
    ");
}

#[test]
fn endpoints_that_are_none() {
    for endpoint in ["huggingface.co", "ftp://huggingface.co", "https://", "https://ann:secret@huggingface.co"] {
        let settings = Settings { endpoint: endpoint.to_owned(), ..Settings::new("/cache") };
        assert!(matches!(Hub::new(settings), Err(SettingsError::MalformedEndpoint { .. })), "{endpoint}");
    }
    let settings = Settings { endpoint: "huggingface.co".to_owned(), ..Settings::new("/cache") };
    assert_snapshot!(report(&Hub::new(settings).err().unwrap()), @r"
    HF_ENDPOINT is `huggingface.co`, which is no address of a Hub
    hint: write it as https://huggingface.co, with a host alone and no user name; or unset it
    ");
}

#[test]
fn certificate_authorities() {
    let both = [("HOME", "/h"), ("SSL_CERT_FILE", "/a.pem"), ("REQUESTS_CA_BUNDLE", "/b.pem")];
    assert_eq!(settings(&both).connections.certificates.as_deref(), Some(Path::new("/a.pem")));
    assert_eq!(settings(&[both[0], both[2]]).connections.certificates.as_deref(), Some(Path::new("/b.pem")));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, "no certificate\n").unwrap();
    let settings = Settings { connections: trusting(file.clone()), ..Settings::new("/cache") };
    let error = Hub::new(settings).err().unwrap();
    assert_snapshot!(report(&error).replace(file.to_str().unwrap(), "roots.pem"), @r"
    roots.pem gives no certificate authorities to trust: there is no certificate in it
    hint: set SSL_CERT_FILE to your organisation's file of certificates in PEM form, or unset it
    ");
    let absent = Settings { connections: trusting(folder.path().join("absent.pem")), ..Settings::new("/cache") };
    assert!(matches!(Hub::new(absent), Err(SettingsError::Certificates { .. })));
}

#[test]
fn a_token_file_that_cannot_be_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    // A folder in the file's place cannot be read by anybody, not even by root.
    let error = try_settings(&[("HF_HOME", path), ("HF_TOKEN_PATH", path)]).unwrap_err();
    assert!(matches!(&error, SettingsError::UnreadableToken { file, .. } if file == Path::new(path)), "{error}");
}

fn report(error: &SettingsError) -> String {
    format!("{error}\nhint: {}", error.help().unwrap())
}

fn trusting(certificates: PathBuf) -> Connections {
    Connections { certificates: Some(certificates), ..Connections::new(|_| None) }
}

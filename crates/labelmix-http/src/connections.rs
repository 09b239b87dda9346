//! How connections come about.

use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// How connections come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    /// A PEM file with the certificate authorities to trust instead of the web's usual ones, which are built in.
    pub certificates: Option<PathBuf>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a server may say nothing. A slow answer that goes on is never ended.
    pub silence_timeout: Duration,
}

/// Certificate authorities that are none.
#[derive(Debug, Error, Diagnostic)]
#[error("{} gives no certificate authorities to trust: {reason}", file.display())]
#[diagnostic(help("set SSL_CERT_FILE to your organisation's file of certificates in PEM form, or unset it"))]
pub struct CertificatesError {
    file: PathBuf,
    /// What is wrong with it.
    reason: String,
}

impl Connections {
    /// With the file of certificates that `SSL_CERT_FILE` names, else `REQUESTS_CA_BUNDLE`, by what this says of variables.
    pub fn new(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        Self {
            certificates: variable("SSL_CERT_FILE").or_else(|| variable("REQUESTS_CA_BUNDLE")),
            connect_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(30),
        }
    }

    /// What asks a service. A status is an answer and not an error; redirects are not followed.
    ///
    /// # Errors
    /// If the file of certificates has none.
    pub fn to(&self, service: &str) -> Result<Agent, CertificatesError> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("labelmix/", env!("CARGO_PKG_VERSION")))
            // A compressed body would have another size than the file, and another range.
            .accept_encoding("identity")
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .timeout_recv_response(Some(self.silence_timeout))
            .timeout_per_read(Some(self.silence_timeout))
            .timeout_per_write(Some(self.silence_timeout));
        if crate::address::is_loopback(service) {
            config = config.proxy(None);
        }
        if let Some(file) = &self.certificates {
            config = config.tls_config(TlsConfig::builder().root_certs(authorities(file)?).build());
        }
        Ok(config.build().into())
    }
}

/// The certificate authorities in a PEM file.
fn authorities(file: &Path) -> Result<RootCerts, CertificatesError> {
    let error = |reason: String| CertificatesError { file: file.to_path_buf(), reason };
    let pem = std::fs::read(file).map_err(|reason| error(reason.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|reason| error(reason.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(error("there is no certificate in it".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

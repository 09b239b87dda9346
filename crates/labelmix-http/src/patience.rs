//! How often and after which delays a failure that may pass is tried again.

use std::time::Duration;

use ureq::http::HeaderMap;

/// How often and after which delays a failure that may pass is tried again: no answer, a dropped connection, a
/// timeout, status 408, 429 or 5xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Failures in a row, without a byte gained between them, before giving up. At least 1 is meant.
    pub attempts: u32,
    /// The delay after the first failure; each further one doubles it.
    pub first_delay: Duration,
    /// The longest delay that doubling leads to.
    pub longest_delay: Duration,
    /// The longest that is waited where the server itself says how long (`Retry-After`). The Hub counts requests in
    /// windows of five minutes.
    pub longest_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(30),
            longest_wait: Duration::from_mins(5),
        }
    }
}

impl Retries {
    /// How long to wait after so many failures in a row, where the server asked for so much if it did; nothing where there is
    /// no further attempt.
    pub fn delay(&self, failures: u32, asked_for: Option<Duration>) -> Option<Duration> {
        if failures >= self.attempts {
            return None;
        }
        match asked_for {
            Some(delay) => (delay <= self.longest_wait).then_some(delay),
            None => {
                Some(self.first_delay.saturating_mul(1 << failures.saturating_sub(1).min(30)).min(self.longest_delay))
            }
        }
    }
}

/// Whether a request that got this status may succeed another time.
pub fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}

/// A header, where it is text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What the server says of the time until the next request: `Retry-After` in seconds, or the Hub's
/// `RateLimit: "api";r=0;t=55`, whose `t` counts the seconds until its window ends. The latter stands on every answer
/// and means a delay only where the limit is the reason.
pub fn retry_after(status: u16, headers: &HeaderMap) -> Option<Duration> {
    let seconds = match header(headers, "retry-after") {
        Some(value) => value.trim().parse::<f64>().ok(),
        None if status == 429 => {
            let limit = header(headers, "ratelimit")?;
            limit.split(';').find_map(|part| part.trim().strip_prefix("t=")?.parse().ok())
        }
        None => None,
    };
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_limit_and_give_way_to_what_the_server_asks() {
        let retries = Retries { attempts: 8, ..Retries::default() };
        let seconds = |failures| retries.delay(failures, None).map(|delay| delay.as_secs());
        assert_eq!([1, 2, 3, 6, 7, 8].map(seconds), [Some(1), Some(2), Some(4), Some(30), Some(30), None]);
        let asked = |seconds| retries.delay(1, Some(Duration::from_secs(seconds)));
        assert_eq!([asked(7), asked(301)], [Some(Duration::from_secs(7)), None]);
    }

    #[test]
    fn what_servers_say_of_the_next_request() {
        let said = |status, name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(status, &headers)
        };
        assert_eq!(said(503, "retry-after", " 7 "), Some(Duration::from_secs(7)));
        assert_eq!(said(429, "retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(said(429, "retry-after", "-1"), None);
        assert_eq!(said(429, "retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(said(429, "ratelimit", "\"api\";r=0;t=55"), Some(Duration::from_secs(55)));
        assert_eq!(said(200, "ratelimit", "\"api\";r=0;t=55"), None);
    }
}

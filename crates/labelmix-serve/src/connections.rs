//! Connections: how many, how long, how much they may say. One request each; whoever is slow is in nobody's way.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::answer::RequestHandler;

/// Connections at a time. With one more the oldest ends, which for a request that takes milliseconds is a stuck one.
const MOST: usize = 128;
/// For what a request says before its body.
const LONGEST_HEAD: Duration = Duration::from_secs(10);
const LARGEST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
/// For all of a connection, a large page on a slow line among it.
const LONGEST: Duration = Duration::from_mins(2);
/// The time between two looks at whether everything is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Answers until it is to end.
pub(crate) async fn answer_all(listener: TcpListener, handler: Arc<RequestHandler>, is_over: &dyn Fn() -> bool) {
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    while !is_over() {
        let stream = match timeout(LOOK_EVERY, listener.accept()).await {
            Err(_nobody) => continue,
            Ok(Ok((stream, _))) => stream,
            // A client that went away at once, or no more open files: the next attempt may do better.
            Ok(Err(_)) => {
                sleep(LOOK_EVERY).await;
                continue;
            }
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MOST
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        open.push_back(tokio::spawn(timeout(LONGEST, answer(stream, Arc::clone(&handler)))).abort_handle());
    }
}

async fn answer(stream: TcpStream, handler: Arc<RequestHandler>) {
    let Ok(address) = stream.local_addr() else { return };
    let service = service_fn(move |request: Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.answer(&request.into_parts().0, address.ip())) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_HEAD)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A client that leaves, or says nothing that can be understood, is its own affair.
    let _ = served.await;
}

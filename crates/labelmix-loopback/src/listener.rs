//! A listening socket with its threads: one that accepts, and one per connection.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::answer::Answer;
use crate::fault::Fault;
use crate::request::{LoggedRequest, Server};

/// How long a connection waits for its request, so that a client that says nothing does not keep the Hub from
/// stopping.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Listener {
    pub(crate) fn start(server: Server, respond: impl Respond + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("127.0.0.1 has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let stopping = Arc::new(AtomicBool::new(false));
        let accepting = thread::spawn({
            let stopping = Arc::clone(&stopping);
            move || accept(&listener, server, &respond, &stopping)
        });
        Self { address, stopping, accepting: Some(accepting) }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // `accept` returns only for a connection, so this makes one. If it is refused, the thread has ended already.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            // The thread's panic was reported where it happened; a second one in a drop would abort the test.
            let _ = accepting.join();
        }
    }
}

/// What a server answers, and what goes wrong with it.
pub(crate) trait Respond: Fn(&LoggedRequest) -> (Answer, Option<Fault>) + Send + Sync {}

impl<F: Fn(&LoggedRequest) -> (Answer, Option<Fault>) + Send + Sync> Respond for F {}

fn accept(listener: &TcpListener, server: Server, respond: &impl Respond, stopping: &AtomicBool) {
    thread::scope(|connections| {
        for stream in listener.incoming() {
            if stopping.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            connections.spawn(move || {
                // A client that goes away in the middle is what some tests are about.
                let _ = serve(&stream, server, respond, stopping);
                let _ = stream.shutdown(Shutdown::Both);
            });
        }
    });
}

/// Answers one request and ends the connection: a connection per request keeps the server, and the faults, simple.
fn serve(mut stream: &TcpStream, server: Server, respond: &impl Respond, stopping: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(LONGEST_SILENCE))?;
    let Some(request) = LoggedRequest::read(server, stream)? else { return Ok(()) };
    let (answer, fault) = respond(&request);
    match fault {
        Some(Fault::Close) => Ok(()),
        Some(Fault::Stall) => {
            while !stopping.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        }
        fault => answer.write(&mut stream, &request, fault.as_ref()),
    }
}

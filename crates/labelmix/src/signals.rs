//! SIGINT and SIGTERM: work that can go on later is asked to stop and keeps its state; a second signal ends the process at
//! once, and so does the first while there is nothing to keep.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use labelmix_train::Interrupt;
use signal_hook::consts::{SIGBUS, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

/// A file that is mapped and becomes shorter ends the process with SIGBUS: this says why.
pub(crate) fn explain_bus_errors() {
    const WORDS: &[u8] =
        b"error: a file that is in use became shorter, such as a checkpoint that somebody overwrites\n\
        hint: put it there again, whole, and repeat the command: what was finished is kept\n";
    let explain = || {
        // SAFETY: the words are bytes that live for ever. That they cannot be written changes nothing.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, WORDS.as_ptr().cast(), WORDS.len()) };
        signal_hook::low_level::exit(1);
    };
    // SAFETY: the handler calls nothing but write and _exit, which may be called in handlers.
    let registered = unsafe { signal_hook::low_level::register(SIGBUS, explain) };
    // Without a handler the signal does what it always does.
    let _ = registered;
}

/// Handlers that are in place.
pub(crate) struct Signals {
    /// Whether there is nothing to keep.
    idle: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
    interrupt: Interrupt,
}

impl Signals {
    /// Puts the handlers in place, once in a process. Until [`catch`](Self::catch) a signal does what it always does.
    pub(crate) fn handle() -> io::Result<&'static Self> {
        static SIGNALS: OnceLock<Signals> = OnceLock::new();
        if let Some(signals) = SIGNALS.get() {
            return Ok(signals);
        }
        let signals = Self::register()?;
        Ok(SIGNALS.get_or_init(|| signals))
    }

    fn register() -> io::Result<Self> {
        let (idle, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            // In this order: a signal is the second if one before it has set the flag.
            flag::register_conditional_default(signal, Arc::clone(&idle))?;
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))?;
            flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Self { idle, interrupt: Interrupt::from_flag(Arc::clone(&asked)), asked })
    }

    /// From now on a signal asks for an interruption.
    pub(crate) fn catch(&self) {
        self.idle.store(false, Ordering::Relaxed);
    }

    /// From now on a signal ends the process: everything is kept.
    pub(crate) fn release(&self) {
        self.idle.store(true, Ordering::Relaxed);
    }

    /// From now on SIGUSR1, with which a cluster says that a task's time runs out, asks for an interruption too; whether
    /// it came.
    pub(crate) fn heed_warning(&self) -> io::Result<Arc<AtomicBool>> {
        let warned = Arc::new(AtomicBool::new(false));
        flag::register(SIGUSR1, Arc::clone(&warned))?;
        flag::register(SIGUSR1, Arc::clone(&self.asked))?;
        Ok(warned)
    }

    /// What a signal asks for.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }
}

//! A real browser for tests, driven through its driver. Nothing is downloaded; without a driver there is no browser.
//!
//! The protocol is JSON over HTTP, and a dozen lines of it are asked: the crates that speak all of it bring an
//! asynchronous runtime and a second HTTP client, which would be most of what the tests build.

#![expect(clippy::unwrap_used, reason = "it serves tests alone, which may panic")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A browser with an empty profile, and the driver that it hangs on.
pub struct Browser {
    driver: Child,
    agent: ureq::Agent,
    /// The session's address.
    session: String,
    /// The folder of the browser's profile, which goes with it.
    profile: PathBuf,
}

impl Browser {
    /// A headless browser; `None`, and a message, without a chromedriver on this machine.
    pub fn start() -> Option<Self> {
        let Ok(mut driver) = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn() else {
            eprintln!("skipped: there is no chromedriver here (Debian: chromium, chromium-driver)");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap);
        let said = lines.find(|line| line.contains("started successfully on port")).unwrap();
        // Nobody reads on, and the driver must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let port = said.trim_end_matches('.').rsplit(' ').next().unwrap().to_owned();
        // No other process has this driver, and no other driver of this process this number.
        let profile = std::env::temp_dir().join(format!("labelmix-browser-{}-{}", std::process::id(), driver.id()));
        std::fs::create_dir(&profile).unwrap();
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
                format!("--user-data-dir={}", profile.display()),
            ] },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
        let address = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, agent, session: address, profile };
        let opened = browser.ask("", &capabilities);
        browser.session = format!("{}/{}", browser.session, opened["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// A command, and what comes back.
    fn ask(&self, command: &str, body: &Value) -> Value {
        let address = format!("{}{command}", self.session);
        let mut answer = self.agent.post(&address).send(body.to_string()).expect("the driver answers");
        let succeeded = answer.status().is_success();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        assert!(succeeded, "{command}: {text}");
        serde_json::from_str::<Value>(&text).unwrap()["value"].take()
    }

    /// Opens a file.
    pub fn open_file(&self, path: &std::path::Path) {
        self.open(&format!("file://{}", path.display()));
    }

    /// Opens an address.
    pub fn open(&self, url: &str) {
        self.ask("/url", &json!({ "url": url }));
        self.settle();
    }

    /// Makes the window so large.
    pub fn resize(&self, width: u32, height: u32) {
        self.ask("/window/rect", &json!({ "width": width, "height": height }));
    }

    /// What a script returns.
    #[expect(clippy::must_use_candidate, reason = "most scripts are run for what they do")]
    pub fn run(&self, script: &str) -> Value {
        self.ask("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The text of the element with this id.
    pub fn text_of(&self, id: &str) -> String {
        self.run(&format!("return document.getElementById('{id}').textContent")).as_str().unwrap().to_owned()
    }

    /// Clicks where an element is, as a mouse does.
    pub fn click(&self, selector: &str) {
        let found = self.ask("/element", &json!({ "using": "css selector", "value": selector }));
        let element = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.ask(&format!("/element/{element}/click"), &json!({}));
    }

    /// What a script says in the end: it calls `arguments[0]` with it.
    #[expect(clippy::must_use_candidate, reason = "as of `run`")]
    pub fn run_async(&self, script: &str) -> Value {
        self.ask("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Waits until the page has drawn what was asked for.
    pub fn settle(&self) {
        self.run_async("const [done] = arguments; requestAnimationFrame(() => requestAnimationFrame(() => done()));");
    }

    /// Waits until a script says true: long enough for a machine that has other things to do as well.
    pub fn wait_for(&self, script: &str) {
        const LONGEST: Duration = Duration::from_mins(2);
        let began = Instant::now();
        while self.run(script) != true {
            if began.elapsed() > LONGEST {
                let shown = self.run("return document.body.innerText.slice(0, 2000)");
                panic!("never came true: {script}\nthe page says: {shown}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the browser noted of one kind since it was last asked.
    fn log(&self, kind: &str) -> Vec<Value> {
        self.ask("/se/log", &json!({ "type": kind })).as_array().unwrap().clone()
    }

    /// What it complained about.
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.log("browser");
        let bad = entries.iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that documents from files asked for, but for files and what is in them.
    pub fn requests_elsewhere(&self) -> Vec<String> {
        let entries = self.log("performance").into_iter();
        let messages = entries.map(|entry| serde_json::from_str::<Value>(entry["message"].as_str().unwrap()).unwrap());
        let sent = messages.filter(|message| message["message"]["method"] == "Network.requestWillBeSent");
        let asked = |message: Value| {
            let about = &message["message"]["params"];
            // The browser's own first page asks for its parts.
            let from_file = about["documentURL"].as_str().unwrap().starts_with("file:");
            from_file.then(|| about["request"]["url"].as_str().unwrap().to_owned())
        };
        let addresses: Vec<String> = sent.filter_map(asked).collect();
        assert!(!addresses.is_empty(), "the page itself is seen");
        addresses.into_iter().filter(|address| !address.starts_with("file:") && !address.starts_with("data:")).collect()
    }

    /// Keeps a picture of the page in the folder that `LABELMIX_PAGE_PICTURES` names, to be looked at.
    pub fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("LABELMIX_PAGE_PICTURES") else { return };
        let address = format!("{}/screenshot", self.session);
        let mut answer = self.agent.get(&address).call().unwrap();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let picture: Value = serde_json::from_str(&text).unwrap();
        let bytes =
            base64::Engine::decode(&base64::prelude::BASE64_STANDARD, picture["value"].as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), bytes).unwrap();
    }
}

impl Drop for Browser {
    /// A test that fails leaves neither browser nor driver behind.
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

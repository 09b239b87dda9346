//! `labelmix serve`: what it answers, what it refuses, and that it leaves no trace.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value as Json;

use crate::served::Served;
use crate::workplace::Workplace;

const STORE: &str = "labelmix-store";

/// A workplace whose study is swept with one of its two seeds.
fn half_swept() -> Workplace {
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("[0, 1]", "[0]"));
    workplace.output_of(&["sweep", "study.toml"]);
    workplace
}

/// Every file and folder below, with its content and when it was last written: files that come and go change their
/// folder's time.
fn everything(folder: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        found.insert(folder.clone(), (fs::metadata(&folder).unwrap().modified().unwrap(), Vec::new()));
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let modified = fs::metadata(&path).unwrap().modified().unwrap();
                found.insert(path.clone(), (modified, fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// The data that the report's page embeds.
fn embedded(page: &str) -> Json {
    let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let end = start + page[start..].find("</script>").unwrap();
    serde_json::from_str(&page[start..end]).unwrap()
}

#[test]
fn results_come_as_they_are_and_end_as_the_report() {
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("[0, 1]", "[0]"));
    // Served before there is a store.
    let served = Served::start(&workplace, &["study.toml"]);
    assert!(served.url.ends_with("/study/small/"), "{}", served.url);
    let status = served.status_when("small", |status| status["looked"] == true);
    assert_eq!(
        (&status["progress"], &status["notes"][0]),
        (&Json::Null, &"it has not been swept into this store yet".into())
    );
    assert!(!workplace.path().join(STORE).exists(), "looking makes no store");

    workplace.output_of(&["sweep", "study.toml"]);
    let status = served.status_of_runs("small", 6);
    // Progress is looked at by itself.
    served.status_when("small", |status| {
        let progress = &status["progress"];
        progress["finished_runs"] == 6 && progress["finished"] == 7 && progress["stages"] == 7
    });
    let first = served.get("/study/small/data.json", &[]);
    assert_eq!(first.header("etag").unwrap(), format!("{}", status["results"]["version"]));
    assert_eq!(first.json()["runs"]["rows"].as_array().unwrap().len(), 6);

    // The sweep goes on while it is served, to the same bytes as one that nobody looks at.
    workplace.write("study.toml", Workplace::study());
    let answer = workplace.output_of(&["sweep", "study.toml", "--json"]);
    let status = served.status_of_runs("small", 12);
    assert_eq!(status["notes"], Json::from(Vec::<Json>::new()));
    assert_eq!(workplace.output_of(&["sweep", "study.toml", "--json", "--store", "alone"]), answer);
    assert!(workplace.stages(STORE) == workplace.stages("alone"), "the stages differ");

    // The page is the report's, and so is what it shows.
    workplace.output_of(&["report", "study.toml", "--out", "report"]);
    let report = fs::read_to_string(workplace.path().join("report/report.html")).unwrap();
    let page = served.get("/study/small/", &[]);
    assert_eq!(page.status, 200);
    assert!(embedded(&page.body) == embedded(&report), "the served page shows what the report shows");
    assert!(served.get("/study/small/data.json", &[]).json() == embedded(&report));
    assert_eq!(served.get("/studies.json", &[]).json()["studies"][0]["study"], "small");
    assert!(!report.contains("status.json"), "what is exported asks for nothing");
}

#[test]
fn hostile_requests_get_nothing_and_the_store_stays_as_it_was() {
    let workplace = half_swept();
    workplace.write("secret.txt", "the secret");
    let before = everything(workplace.path());
    let served = Served::start(&workplace, &[STORE]);
    served.status_of_runs("small", 6);
    let host = served.host();

    for path in [
        "/..",
        "/../secret.txt",
        "/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "/study/../secret.txt",
        "/study/%2e%2e/%2e%2e/secret.txt",
        "/study/..%2f..%2fsecret.txt/",
        "/study/small/../../secret.txt",
        "/study/small/%2e%2e/secret.txt",
        "/study/small/..%2f..%2fsecret.txt",
        "/study/%00/",
        "/study/small%00/",
        "//secret.txt",
        "/study/small/run.json",
        "/studies/small.json",
        "/runs/small/",
        "/etc/passwd",
        "//etc/passwd",
        "/study/%2fetc%2fpasswd/",
        "/study/small\\..\\..\\secret.txt",
        "/study/none/",
        "/study/none/data.json",
        "/report.html",
        "/study/../",
        "/study/%c0%ae%c0%ae/",
    ] {
        let reply = served.get(path, &[]);
        assert_eq!(reply.status, 404, "{path}: {}", reply.body);
        assert!(!reply.body.contains("secret") && reply.header("x-content-type-options") == Some("nosniff"), "{path}");
    }
    let line = |line: &str| format!("{line}\r\nHost: {host}\r\n\r\n");
    let with = |header: &str| format!("GET /study/small/data.json HTTP/1.1\r\nHost: {host}\r\n{header}\r\n\r\n");
    for (request, status) in [
        // Foreign hosts: a name that was given this address, none, two, another port, an address in the request's line.
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 421),
        (format!("GET / HTTP/1.1\r\nHost: evil.example:{}\r\n\r\n", host.rsplit(':').next().unwrap()), 421),
        ("GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n".to_owned(), 421),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 421),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), 421),
        (format!("GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"), 421),
        (line("GET http://evil.example/ HTTP/1.1"), 421),
        // What would change something.
        (line("POST /study/small/data.json HTTP/1.1"), 405),
        (format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello"), 405),
        (line("DELETE / HTTP/1.1"), 405),
        (line("OPTIONS * HTTP/1.1"), 405),
        // Other sites' pages.
        (with("Origin: http://evil.example"), 403),
        (with("Sec-Fetch-Site: cross-site"), 403),
        (with("Sec-Fetch-Site: same-site"), 403),
        // What is no request, or too much of one.
        (with(&format!("Long: {}", "x".repeat(64 << 10))), 431),
        (with(&["Header: x"; 100].join("\r\n")), 431),
        (format!("GET /{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "x".repeat(64 << 10)), 431),
        ("hello\r\n\r\n".to_owned(), 400),
    ] {
        let shown: String = request.chars().take(80).collect();
        let reply = served.send(request.as_bytes());
        // hyper says 414 of a line that is too long, and 431 of headers.
        let is_expected = reply.status == status || (status == 431 && reply.status == 414);
        assert!(is_expected, "{shown}: {} and not {status}", reply.status);
        assert!(!reply.body.contains("resamples"), "{shown}");
    }

    // Clients that stop in the middle are in nobody's way.
    let stuck: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            stream
        })
        .collect();
    let page = served.get("/study/small/", &["Sec-Fetch-Site: same-origin"]);
    assert_eq!(page.status, 200);
    drop(stuck);
    for (header, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(page.header(header), Some(value));
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-") && policy.ends_with("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let head = served.send(line("HEAD /study/small/ HTTP/1.1").as_bytes());
    assert_eq!((head.status, head.body.as_str()), (200, ""));

    assert_eq!(served.stop("INT"), Some(0));
    assert!(everything(workplace.path()) == before, "something was written");
}

#[test]
fn other_addresses_need_a_flag_and_a_token() {
    let workplace = half_swept();
    let complaint = workplace.complaint(&["serve", STORE, "--address", "0.0.0.0", "--port", "0"]);
    insta::assert_snapshot!(complaint, @r#"
    error: --address 0.0.0.0: other machines can reach it
    hint: add --expose to serve there, behind a token; or leave --address out and reach 127.0.0.1 through `ssh -L`
    "#);
    workplace.write("short.txt", "guess me\n");
    let complaint = workplace.complaint(&["serve", STORE, "--port", "0", "--token-file", "short.txt"]);
    insta::assert_snapshot!(complaint, @r#"
    error: short.txt: the token has 8 characters
    hint: a token has 16 or more of the characters A-Z a-z 0-9 - _ . ~, such as `openssl rand -hex 16` makes
    "#);
    let complaint = workplace.complaint(&["serve", "no-store", "--port", "0"]);
    insta::assert_snapshot!(complaint, @r#"
    error: no-store is no store of labelmix
    hint: give the folder that `labelmix sweep` keeps its results in: labelmix-store beside the study file, unless --store names another
    "#);

    let served = Served::start(&workplace, &[STORE, "--expose"]);
    let (_, token) = served.url.split_once("/?token=").unwrap();
    assert_eq!(token.len(), 32);
    for (path, header) in [
        ("/", "A: b"),
        ("/study/small/", "A: b"),
        ("/study/small/status.json", "A: b"),
        ("/study/none/", "A: b"),
        ("/?token=00000000000000000000000000000000", "A: b"),
        ("/", "Authorization: Bearer 00000000000000000000000000000000"),
        ("/", "Cookie: labelmix-1=00000000000000000000000000000000"),
    ] {
        let reply = served.get(path, &[header]);
        assert_eq!(reply.status, 401, "{path} {header}");
        assert!(!reply.body.contains("small"), "{}", reply.body);
    }
    let entered = served.get(&format!("/?token={token}"), &[]);
    assert_eq!((entered.status, entered.header("location")), (303, Some("/")), "the token leaves the address");
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{cookie}");
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(served.get("/", &[&cookie]).status, 200);
    assert_eq!(served.get("/study/small/", &[&format!("Authorization: Bearer {token}")]).status, 200);
    assert_eq!(served.get("/study/none/", &[&cookie]).status, 404);
    // The token opens no door to other hosts.
    let foreign = format!("GET /?token={token} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(served.send(foreign.as_bytes()).status, 421);
    assert_eq!(served.stop("TERM"), Some(0));

    // One's own token is asked for on the loopback too, and not shown.
    workplace.write("token.txt", "a-token-of-my-own\n");
    let served = Served::start(&workplace, &[STORE, "--token-file", "token.txt", "--host", "localhost:9000"]);
    assert!(served.url.ends_with('/'), "{}", served.url);
    let through_tunnel = |header: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: localhost:9000\r\n{header}\r\n\r\n");
        served.send(request.as_bytes()).status
    };
    assert_eq!((through_tunnel("A: b"), through_tunnel("Authorization: Bearer a-token-of-my-own")), (401, 200));
}

#[test]
fn what_is_damaged_or_missing_is_told() {
    let workplace = half_swept();
    let served = Served::start(&workplace, &[STORE]);
    let whole = served.status_of_runs("small", 6);
    let store = workplace.path().join(STORE);
    let run = store.join("runs/small/seq-sft_w80_g8_s0/run.json");
    let kept = fs::read(&run).unwrap();
    fs::write(&run, &kept[..100]).unwrap();
    let damaged = served.status_of_runs("small", 5);
    let note = damaged["notes"][0].as_str().unwrap();
    assert!(note.starts_with("damaged, and left out: ") && note.contains("seq-sft_w80_g8_s0"), "{note}");
    fs::write(&run, &kept).unwrap();
    assert_eq!(served.status_of_runs("small", 6)["results"], whole["results"], "the same runs, the same results");
    // A run that is half there, and a file that is none.
    fs::remove_file(&run).unwrap();
    served.status_of_runs("small", 5);
    fs::write(&run, &kept).unwrap();
    fs::write(store.join("studies/other.json"), "{").unwrap();
    let problem = |seen: &Json| {
        seen["studies"]
            .as_array()
            .unwrap()
            .iter()
            .any(|study| study["problem"].as_str().is_some_and(|problem| problem.contains("other.json is damaged")))
    };
    let until = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !problem(&served.get("/studies.json", &[]).json()) {
        assert!(std::time::Instant::now() < until);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(served.get("/study/other/", &[]).status, 200);
    fs::remove_file(store.join("studies/other.json")).unwrap();
    drop(served);

    // A store from before test sets were kept: without the study's file there are no texts; the runs are there all the same.
    fs::remove_dir_all(store.join("test_sets")).unwrap();
    fs::rename(workplace.path().join("study.toml"), workplace.path().join("moved.toml")).unwrap();
    let served = Served::start(&workplace, &[STORE]);
    let note = served.status_of_runs("small", 6)["notes"][0].as_str().unwrap().to_owned();
    assert!(note.starts_with("no test texts, and wider intervals"), "{note}");
    let data = served.get("/study/small/data.json", &[]).json();
    assert_eq!((&data["n_test"], data["budgets"].as_array().unwrap().len()), (&0.into(), 2));
    drop(served);
    let served = Served::start(&workplace, &[STORE, "moved.toml"]);
    assert_eq!(served.status_of_runs("small", 6)["notes"], Json::from(Vec::<Json>::new()), "it was named");
    drop(served);

    // A plan from before it said what is asked: each purchase is a budget, and stages are known by their keys.
    let plan = store.join("studies/small.json");
    let mut old: Json = serde_json::from_slice(&fs::read(&plan).unwrap()).unwrap();
    old.as_object_mut().unwrap().retain(|field, _| field == "study" || field == "runs");
    fs::write(&plan, old.to_string()).unwrap();
    let served = Served::start(&workplace, &[STORE]);
    let status = served.status_of_runs("small", 6);
    assert_eq!((&status["progress"]["finished"], &status["progress"]["stages"]), (&7.into(), &7.into()));
    assert!(status["notes"][0].as_str().unwrap().starts_with("the store does not say which budgets"));
    let data = served.get("/study/small/data.json", &[]).json();
    assert_eq!((&data["prices"]["weak"], &data["prices"]["gold"]), (&0.1.into(), &1.0.into()));
}

#[test]
fn failures_are_told_with_their_messages() {
    let workplace = Workplace::new();
    let study = Workplace::study().replace("[8, 16]", "[16]").replace("[0, 1]", "[0]").replace("0.5, 1.0", "0.8, 1.0");
    let diverging = study.replace("5e-3", "1e30").replace("total_examples = 600", "total_examples = 1");
    workplace.write("study.toml", diverging);
    workplace.said(&["sweep", "study.toml"], 3);
    let served = Served::start(&workplace, &["study.toml"]);
    let status = served.status_of_runs("small", 1);
    let progress = &status["progress"];
    let counts = ["finished", "waiting", "blocked", "failed_in_all"].map(|name| progress[name].as_u64().unwrap());
    assert_eq!(counts, [1, 0, 1, 2]);
    let failed = progress["failed"].as_array().unwrap();
    let failure = failed.iter().find(|failure| failure["stage"] == "the stage on 160 weak labels, seed 0").unwrap();
    assert!(failure["log"][0].as_str().unwrap().starts_with("the training loss became NaN"), "{failure}");
    assert!(failure["help"].as_str().unwrap().contains("learning rate is too high"), "{failure}");
}

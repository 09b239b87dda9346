//! Requests in batches.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use labelmix_llm::Error;
use labelmix_loopback::{Answer, Fault, LoopbackModel, Script, chat};
use labelmix_store::Abstention;
use serde_json::{Value as Json, json};

use crate::scene::{Scene, TEXTS, rounded, text};

/// A service that does batches: the second time that one is looked at it is done.
fn with_batches() -> (Scene, Arc<Mutex<Vec<Json>>>) {
    let batches: Arc<Mutex<Vec<Json>>> = Arc::default();
    let (files, looks) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let known = Arc::clone(&batches);
    let served = LoopbackModel::answering(move |request| {
        let path = request.path.strip_prefix("/v1/").unwrap();
        let mut batches = known.lock().unwrap();
        match (request.method.as_str(), path.split(['/', '?']).collect::<Vec<_>>().as_slice()) {
            ("POST", ["files"]) => {
                let body = String::from_utf8(request.body.clone()).unwrap();
                assert!(body.contains("name=\"purpose\"\r\n\r\nbatch\r\n"), "{body}");
                let lines = body.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect::<Vec<_>>();
                let mut files = files.lock().unwrap();
                files.push(lines);
                Answer::json(&json!({"id": format!("file-{}", files.len() - 1)}))
            }
            ("POST", ["batches"]) => {
                let mut batch = request.json();
                batch["id"] = format!("batch-{}", batches.len()).into();
                batch["status"] = "in_progress".into();
                batches.push(batch.clone());
                Answer::json(&batch)
            }
            ("GET", ["batches", id]) if id.starts_with("batch-") => {
                let place: usize = id.strip_prefix("batch-").unwrap().parse().unwrap();
                if looks.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
                    batches[place]["status"] = "completed".into();
                    batches[place]["output_file_id"] = batches[place]["input_file_id"].clone();
                }
                Answer::json(&batches[place])
            }
            ("GET", ["batches", ..]) => Answer::json(&json!({"data": *batches})),
            ("GET", ["files", id, "content"]) => {
                let place: usize = id.strip_prefix("file-").unwrap().parse().unwrap();
                let line = |line: &String| {
                    let request: Json = serde_json::from_str(line).unwrap();
                    let text = text(&request["body"]);
                    let filtered = json!({"error": {"message": "no", "code": "content_filter"}});
                    let yes = if text.contains("good") { 0.75 } else { 0.25 };
                    let answer = chat("positive", &[("positive", yes), ("negative", 1.0 - yes)]);
                    let (status, body) = if text == "filtered" { (400, filtered) } else { (200, answer) };
                    let response = json!({"status_code": status, "body": body});
                    json!({"custom_id": request["custom_id"], "response": response, "error": null}).to_string()
                };
                let mut lines: Vec<String> = files.lock().unwrap()[place].iter().map(line).collect();
                // Services answer in any order.
                lines.reverse();
                Answer::new(200, lines.join("\n").into_bytes())
            }
            other => panic!("{other:?}"),
        }
    });
    (Scene { batch: true, ..Scene::at(served) }, batches)
}

#[test]
fn a_batch_is_sent_once_and_read_when_it_is_done() {
    let (scene, batches) = with_batches();
    let texts = ["a good film", "a bad film", "filtered"];
    let bought = scene.buy(&texts).unwrap();
    assert_eq!(rounded(&bought), [Some(0.75), Some(0.25), None]);
    assert_eq!(bought.tally.abstentions.get(&Abstention::Filtered), Some(&1));
    assert_eq!((bought.tally.tokens.input, bought.tally.perhaps_usd), (40, 0.0));
    assert_eq!(scene.buy(&texts).unwrap(), bought);
    assert_eq!(batches.lock().unwrap().len(), 1);
    assert_eq!(batches.lock().unwrap()[0]["endpoint"], "/v1/chat/completions");
}

#[test]
fn a_batch_that_is_with_the_service_is_not_sent_again() {
    // Interrupted while it is waited for.
    let (scene, batches) = with_batches();
    let served = &scene.served;
    let is_sent = || served.requests().iter().any(|request| request.path.contains("batches/"));
    assert!(matches!(scene.buy_while(&TEXTS, &is_sent), Err(Error::Interrupted)));
    assert_eq!(rounded(&scene.buy(&TEXTS).unwrap()), [Some(0.75), Some(0.25), Some(0.75), Some(0.25)]);
    assert_eq!(batches.lock().unwrap().len(), 1);
    // Cut off before the answer that it was taken arrived.
    let (scene, batches) = with_batches();
    scene.served.script(Script::times(1, Fault::DropAfter(5)).method("POST").at("/batches"));
    assert!(matches!(scene.buy(&TEXTS), Err(Error::Refused { .. })));
    assert_eq!(batches.lock().unwrap().len(), 1);
    let bought = scene.buy(&TEXTS).unwrap();
    assert_eq!(rounded(&bought), [Some(0.75), Some(0.25), Some(0.75), Some(0.25)]);
    assert_eq!(batches.lock().unwrap().len(), 1, "it is found by its name");
}

#[test]
fn a_batch_is_as_large_as_dollars_allow() {
    let (mut scene, batches) = with_batches();
    // A request costs 30 millionths in the end, and nearly ten times as much before that.
    scene.max_usd = Some(0.000_31);
    let error = scene.buy(&TEXTS).unwrap_err();
    assert!(matches!(error, Error::Spent { answered: 1..=3, .. }), "{error}");
    let sent = batches.lock().unwrap().len();
    scene.max_usd = Some(1.0);
    assert_eq!(scene.buy(&TEXTS).unwrap().tally.labels, 4);
    assert_eq!(batches.lock().unwrap().len(), sent + 1);
}

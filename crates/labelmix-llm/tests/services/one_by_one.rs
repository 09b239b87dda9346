//! Requests one by one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use labelmix_llm::{Error, Progress, Purchase};
use labelmix_loopback::{Answer, Fault, Script, chat};
use labelmix_store::Abstention;
use labelmix_study::{LlmConfidence, LlmForm};
use serde_json::{Value as Json, json};

use crate::scene::{KEY, RATES, Scene, TEXTS, judged, rounded, text};

#[test]
fn a_chat_gives_probabilities_and_is_not_asked_twice() {
    let scene = Scene::new(judged);
    let bought = scene.buy(&TEXTS).unwrap();
    assert_eq!(rounded(&bought), [Some(0.8), Some(0.1), Some(0.8), Some(0.1)]);
    assert_eq!((bought.tally.labels, bought.tally.tokens.input, bought.tally.tokens.output), (4, 80, 4));
    assert!((bought.tally.usd - 120e-6).abs() < 1e-12);
    let requests = scene.served.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| request.authorization.as_deref() == Some(&format!("Bearer {KEY}"))));
    assert!(requests.iter().all(|request| request.path == "/v1/chat/completions"));
    let one = requests.iter().find(|request| text(&request.json()) == TEXTS[0]).unwrap().json();
    assert_snapshot!(serde_json::to_string_pretty(&one).unwrap(), @r#"
    {
      "logprobs": true,
      "max_tokens": 8,
      "messages": [
        {
          "content": "Answer with negative or positive and nothing else.\n\nReview: a good film\nSentiment:",
          "role": "user"
        }
      ],
      "model": "m",
      "temperature": 0.0,
      "top_logprobs": 20
    }
    "#);
    // The same again, and some more: only what is new is asked.
    assert_eq!(scene.buy(&TEXTS).unwrap(), bought);
    assert_eq!(scene.served.requests().len(), 4);
    let more = scene.buy(&["another good one", TEXTS[1], TEXTS[1]]).unwrap();
    assert_eq!(rounded(&more), [Some(0.8), Some(0.1), Some(0.1)]);
    assert_eq!(scene.served.requests().len(), 5);
    assert_eq!(more.tally.tokens.input, 40, "a text that is there twice is paid once");
}

#[test]
fn texts_are_continued() {
    let scene = {
        let mut scene = Scene::new(|request: &Json| {
            let yes = if text(request).contains("good") { 0.8 } else { 0.1 };
            Answer::json(&json!({
                "choices": [{"index": 0, "text": " positive", "finish_reason": "length", "logprobs": {
                    "tokens": [" positive"], "token_logprobs": [f64::ln(yes)], "text_offset": [0],
                    "top_logprobs": [{" positive": f64::ln(yes), " negative": f64::ln(1.0 - yes)}],
                }}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 1},
            }))
        });
        scene.question.form = LlmForm::Completion;
        scene.question.shots = vec![("ghastly".to_owned(), false), ("great".to_owned(), true)];
        scene
    };
    assert_eq!(rounded(&scene.buy(&TEXTS).unwrap()), [Some(0.8), Some(0.1), Some(0.8), Some(0.1)]);
    let request = &scene.served.requests()[0];
    assert_eq!(request.path, "/v1/completions");
    let prompt = request.json()["prompt"].as_str().unwrap().to_owned();
    let behind = "Review: ghastly\nSentiment: negative\n\nReview: great\nSentiment: positive\n\nReview: ";
    assert!(prompt.starts_with(behind), "{prompt}");
}

#[test]
fn votes_are_paid_each_and_give_a_share() {
    let count = AtomicUsize::new(0);
    let mut scene = Scene::new(move |request| {
        let vote = count.fetch_add(1, Ordering::Relaxed);
        let word = match (text(request).as_str(), vote % 4) {
            ("odd", _) => "I would rather not say",
            (_, 3) => "Negative",
            _ => "positive",
        };
        Answer::json(&chat(word, &[]))
    });
    scene.question.confidence = LlmConfidence::Votes;
    scene.question.votes = 4;
    scene.question.temperature = 1.0;
    scene.service.concurrency = 1;
    let bought = scene.buy(&["a", "odd"]).unwrap();
    assert_eq!(rounded(&bought), [Some(0.75), None]);
    assert_eq!(bought.tally.abstentions.get(&Abstention::Unreadable), Some(&1));
    assert_eq!(bought.tally.tokens.input, 160, "abstentions are paid");
    assert_eq!(scene.served.requests().len(), 8);
}

#[test]
fn structured_answers_and_stated_confidences() {
    let mut scene = Scene::new(|_| Answer::json(&chat("{\"label\": \"negative\", \"confidence\": 90}", &[])));
    scene.question.confidence = LlmConfidence::Stated;
    scene.question.structured = true;
    scene.question.extra.insert("reasoning_effort".to_owned(), "minimal".into());
    assert_eq!(rounded(&scene.buy(&["a"]).unwrap()), [Some(0.1)]);
    let request = scene.served.requests()[0].json();
    assert_eq!(request["reasoning_effort"], "minimal");
    assert_eq!(request["response_format"]["json_schema"]["schema"]["required"], json!(["label", "confidence"]));
}

#[test]
fn what_passes_is_waited_for() {
    let faults = [
        Fault::rate_limited(1),
        Fault::status(429),
        Fault::status(500),
        Fault::status(529),
        Fault::Close,
        Fault::DropAfter(40),
        Fault::Truncate(40),
    ];
    for fault in faults {
        let scene = Scene::new(judged);
        scene.served.script(Script::times(2, fault.clone()));
        let began = Instant::now();
        let bought = scene.buy(&TEXTS).unwrap();
        assert_eq!(rounded(&bought), [Some(0.8), Some(0.1), Some(0.8), Some(0.1)], "{fault:?}");
        assert_eq!(scene.served.requests().len(), 6, "{fault:?}");
        if fault == Fault::rate_limited(1) {
            assert!(began.elapsed() >= Duration::from_secs(1), "the service said how long");
        }
        let may_be_paid = matches!(fault, Fault::Close | Fault::DropAfter(_) | Fault::Truncate(_));
        assert_eq!(bought.tally.perhaps_usd > 0.0, may_be_paid, "{fault:?}");
    }
}

#[test]
fn a_page_of_html_is_no_reply_and_a_slow_one_is_waited_for() {
    let count = AtomicUsize::new(0);
    let scene = Scene::new(move |request| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            return Answer::new(200, *b"<html><body>Please wait</body></html>").with("Content-Type", "text/html");
        }
        std::thread::sleep(Duration::from_millis(150));
        judged(request)
    });
    assert_eq!(rounded(&scene.buy(&TEXTS).unwrap()), [Some(0.8), Some(0.1), Some(0.8), Some(0.1)]);
}

#[test]
fn a_stream_is_read_where_none_was_asked_for() {
    let scene = Scene::new(|_| {
        let part = |delta: Json, finish: Json| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
            format!("data: {}\n\n", json!({"id": "1", "choices": [choice]}))
        };
        let mut token = chat("positive", &[("positive", 0.75), ("negative", 0.25)])["choices"][0]["logprobs"].take();
        let mut first: Json = json!({"index": 0, "delta": {"content": "positive"}, "finish_reason": null});
        first["logprobs"] = token.take();
        let usage = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 1}});
        let body = [
            part(json!({"role": "assistant", "content": ""}), Json::Null),
            format!("data: {}\n\n", json!({"id": "1", "choices": [first]})),
            part(json!({}), "stop".into()),
            format!("data: {usage}\n\ndata: [DONE]\n\n"),
        ];
        Answer::new(200, body.concat().into_bytes()).with("Content-Type", "text/event-stream")
    });
    let bought = scene.buy(&["a"]).unwrap();
    assert_eq!((rounded(&bought), bought.tally.tokens.input), (vec![Some(0.75)], 7));
}

#[test]
fn abstentions_are_counted_and_not_guessed() {
    let scene = Scene::new(|request| {
        let filtered = r#"{"error": {"message": "The response was filtered", "code": "content_filter"}}"#;
        let long = r#"{"error": {"message": "This model's maximum context length is 8 tokens"}}"#;
        match text(request).as_str() {
            "filtered" => Answer::new(400, filtered.as_bytes()),
            "long" => Answer::new(400, long.as_bytes()),
            "odd" => Answer::new(422, *b"{\"detail\": \"no\"}"),
            "none" => Answer::json(&json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 0}})),
            "refused" => {
                let mut answer = chat("", &[]);
                answer["choices"][0]["message"]["refusal"] = "I cannot help with that.".into();
                answer["choices"][0]["message"]["content"] = Json::Null;
                Answer::json(&answer)
            }
            "prose" => Answer::json(&chat("I would not call it positive", &[])),
            _ => judged(request),
        }
    });
    let texts = ["good", "filtered", "long", "odd", "none", "refused", "prose"];
    // One first: a service that refuses everything is another matter.
    scene.buy(&texts[..1]).unwrap();
    let bought = scene.buy(&texts).unwrap();
    assert_eq!(bought.labels.iter().filter(|label| label.is_some()).count(), 1);
    let all = [
        Abstention::Unreadable,
        Abstention::Empty,
        Abstention::Refused,
        Abstention::Filtered,
        Abstention::TooLong,
        Abstention::Rejected,
    ];
    assert!(all.iter().all(|why| bought.tally.abstentions.get(why) == Some(&1)), "{:?}", bought.tally);
    let asked = scene.served.requests().len();
    assert_eq!(scene.buy(&texts).unwrap(), bought);
    assert_eq!(scene.served.requests().len(), asked, "abstentions are answers");
}

#[test]
fn usage_that_cannot_be_true_counts_as_the_most_that_is_possible() {
    for usage in [json!(null), json!({"prompt_tokens": -5, "completion_tokens": "two"}), json!({"prompt_tokens": 1e15})]
    {
        let scene = Scene::new(move |request| {
            let mut answer: Json = chat(
                if text(request) == "good" { "positive" } else { "negative" },
                &[("positive", 0.8), ("negative", 0.2)],
            );
            answer["usage"] = usage.clone();
            Answer::json(&answer)
        });
        let tokens = scene.buy(&["good"]).unwrap().tally.tokens;
        assert!((60..400).contains(&tokens.input) && tokens.output == 8, "{tokens:?}");
    }
}

#[test]
fn some_services_name_the_longest_answer_otherwise() {
    let scene = Scene::new(|request| {
        if request["max_tokens"].is_null() {
            return judged(request);
        }
        let message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
        Answer::new(400, json!({"error": {"message": message}}).to_string().into_bytes())
    });
    assert_eq!(rounded(&scene.buy(&TEXTS).unwrap()), [Some(0.8), Some(0.1), Some(0.8), Some(0.1)]);
}

#[test]
fn some_services_tell_of_five_alternatives_at_most() {
    let mut scene = Scene::new(|request| {
        if request["logprobs"].as_u64() > Some(5) {
            let message = "Invalid 'logprobs': integer above maximum value. Expected a value <= 5, but got 20 instead.";
            return Answer::new(400, json!({"error": {"message": message}}).to_string().into_bytes());
        }
        let logprobs =
            json!({"tokens": [" positive"], "token_logprobs": [-0.5], "top_logprobs": [{" positive": -0.5}]});
        Answer::json(&json!({"choices": [{"text": " positive", "finish_reason": "length", "logprobs": logprobs}]}))
    });
    scene.question.form = LlmForm::Completion;
    assert_eq!(scene.buy(&TEXTS).unwrap().tally.bounded, 4);
    assert_eq!(scene.served.requests().len(), 5);
}

#[test]
fn what_does_not_pass_is_said_at_once() {
    let refusing = |status: u16, message: &'static str| {
        let body = json!({"error": {"message": format!("{message} {KEY}")}}).to_string().into_bytes();
        Scene::new(move |_| Answer::new(status, body.clone()))
    };
    assert_snapshot!(refusing(401, "Incorrect API key provided:").refusal(&TEXTS), @"
    127.0.0.1 refuses the key: Incorrect API key provided: (hidden)
    help: `api_key_env` names the environment variable that holds the key; what was answered stays, and the same command goes on
    ");
    assert_snapshot!(refusing(404, "The model `m` does not exist").refusal(&TEXTS), @"
    [base_url]/chat/completions answers 404: The model `m` does not exist (hidden)
    help: `base_url`, `model` and `form` decide what is asked of whom; `extra` has further fields of requests
    ");
    assert_snapshot!(refusing(429, "You exceeded your current quota: insufficient_quota").refusal(&TEXTS), @"
    127.0.0.1 says that there is no money or quota left: You exceeded your current quota: insufficient_quota (hidden)
    help: what was answered stays; once the account has some, the same command goes on
    ");
    assert_snapshot!(refusing(400, "Unsupported value: 'temperature'").refusal(&TEXTS), @"
    [base_url]/chat/completions answers 400: Unsupported value: 'temperature' (hidden)
    help: `base_url`, `model` and `form` decide what is asked of whom; `extra` has further fields of requests
    ");
    let scene = Scene::new(|_| Answer::json(&chat("positive", &[])));
    assert_snapshot!(scene.refusal(&TEXTS), @r#"
    127.0.0.1 tells no probabilities of its words
    help: take `confidence = "votes"` with `votes = 5`, which asks five times, "stated", which asks the model how sure it is, or "none"
    "#);
    assert_eq!(scene.served.requests().len(), 1, "the next ones would be paid too");
    assert!(matches!(scene.buy(&TEXTS), Err(Error::NoProbabilities { .. })), "and so would they another time");
    let mut nowhere = refusing(500, "down");
    assert_snapshot!(nowhere.refusal(&TEXTS), @"
    4 of 4 texts have no answer after 3 attempts each; the last failure: 127.0.0.1 answers 500: down (hidden)
    help: what was answered stays: the same command asks for the others again
    ");
    nowhere.service.base_url = "http://user@127.0.0.1/v1".to_owned();
    assert_snapshot!(nowhere.refusal(&TEXTS), @r#"
    base_url = "http://user@127.0.0.1/v1" is no address of a service
    help: write it as https://api.example.com/v1: without a user's name, a query or a fragment
    "#);
}

#[test]
fn one_text_that_always_fails_does_not_keep_the_others_from_their_answers() {
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = Arc::clone(&is_mended);
    let scene = Scene::new(move |request| {
        let fails = text(request) == "cursed" && !mended.load(Ordering::Relaxed);
        if fails { Answer::new(500, *b"oh") } else { judged(request) }
    });
    assert_snapshot!(scene.refusal(&["good", "cursed", "bad", "good too"]), @"
    1 of 4 texts have no answer after 3 attempts each; the last failure: 127.0.0.1 answers 500: oh
    help: what was answered stays: the same command asks for the others again
    ");
    assert_eq!(scene.served.requests().len(), 6);
    is_mended.store(true, Ordering::Relaxed);
    assert_eq!(rounded(&scene.buy(&["good", "cursed", "bad", "good too"]).unwrap()).len(), 4);
    assert_eq!(scene.served.requests().len(), 7, "only the one that failed is asked again");
}

#[test]
fn dollars_are_never_exceeded() {
    let mut scene = Scene::new(judged);
    let texts: Vec<String> = (0..40).map(|place| format!("a good film, number {place}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    // An answer costs 30 millionths; before it comes, a request can cost some hundred.
    scene.max_usd = Some(0.000_9);
    let error = scene.buy(&texts).unwrap_err();
    let Error::Spent { spent, answered, .. } = error else { panic!("{error}") };
    let sent = scene.served.requests().len();
    assert_eq!((answered, sent as f64 * 30e-6), (sent, (spent * 1e9).round() / 1e9));
    assert!(spent <= 0.000_9 && sent > 10, "{spent} {sent}");
    let again = scene.buy(&texts).unwrap_err();
    assert!(matches!(again, Error::Spent { .. }));
    assert_eq!(scene.served.requests().len(), sent, "nothing more is sent");
    scene.max_usd = Some(1.0);
    assert_eq!(scene.buy(&texts).unwrap().tally.labels, 40);
    assert_eq!(scene.served.requests().len(), 40);
}

#[test]
fn an_interruption_keeps_what_came() {
    let scene = Scene::new(|request| {
        std::thread::sleep(Duration::from_millis(5));
        judged(request)
    });
    let texts: Vec<String> = (0..40).map(|place| format!("film {place}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let served = &scene.served;
    let error = scene.buy_while(&texts, &|| served.requests().len() > 12).unwrap_err();
    assert!(matches!(error, Error::Interrupted));
    let sent = served.requests().len();
    assert!((13..=17).contains(&sent), "{sent}");
    assert_eq!(scene.buy(&texts).unwrap().tally.labels, 40);
    assert_eq!(served.requests().len(), 40);
}

#[test]
fn what_it_would_take_is_said_before_anything_is_sent() {
    let scene = Scene::new(judged);
    let answers = scene.answers();
    let purchase = Purchase {
        question: &scene.question,
        rates: RATES,
        max_usd: None,
        answers: &answers,
        batch: false,
        texts: &TEXTS,
    };
    let before = purchase.estimate(4).unwrap();
    assert!(scene.served.requests().is_empty() && !answers.exists());
    assert_eq!((before.texts, before.requests, before.seconds), (4, 4, None));
    assert!(before.usd > 0.0 && before.usd < before.most_usd);
    let seen = Mutex::new(Vec::new());
    let observe = |progress: Progress<'_>| {
        if let Progress::Asked { answers, of, .. } = progress {
            seen.lock().unwrap().push((answers, of));
        }
    };
    Purchase { texts: &TEXTS[..2], ..purchase }.make(&scene.service, &|| false, &observe).unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, [(1, 2), (2, 2)]);
    let after = purchase.estimate(4).unwrap();
    assert_eq!((after.requests, after.tokens.output), (2, 2));
    assert!((30..60).contains(&after.tokens.input), "by what two texts took: {:?}", after.tokens);
    assert!((after.spent_usd - 60e-6).abs() < 1e-12 && after.seconds.is_some());
    assert!(after.most_usd <= before.most_usd);
}

//! Labels on their way back: from tables and tools into the training file.

use labelmix_data::{
    AnnotationFormat, Example, ExampleId, IfMissing, label_requests, read_collected_labels, TextColumns, with_labels,
};
use labelmix_econ::LabelKind;
use proptest::prelude::*;

use crate::scratch::Scratch;

fn id(text: &str) -> String {
    ExampleId::of(text).to_string()
}

fn columns() -> TextColumns {
    TextColumns::default()
}

fn labels(scratch: &Scratch, name: &str, content: &str, kind: LabelKind) -> Vec<(String, f32)> {
    let file = scratch.write(name, content);
    let collected = read_collected_labels(&file, kind, IfMissing::LeaveOut).unwrap();
    collected.labels.into_iter().map(|label| (label.id.to_string(), label.label)).collect()
}

#[test]
fn argilla_s_responses_are_read() {
    let scratch = Scratch::new();
    let export = format!(
        r#"[{{"id": "{}", "fields": {{"text": "a"}}, "metadata": {{"kind": "weak"}}, "suggestions": {{}},
            "responses": {{"label": [{{"value": "1", "user_id": "u"}}, {{"value": "0", "user_id": "v"}}]}}, "vectors": {{}}}},
           {{"id": "{}", "fields": {{"text": "b"}}, "metadata": {{}}, "responses": {{}}}}]"#,
        id("a"),
        id("b")
    );
    assert_eq!(labels(&scratch, "export.json", &export, LabelKind::Weak), [(id("a"), 0.5)]);
}

#[test]
fn label_studio_s_annotations_are_read_in_full_and_flat() {
    let scratch = Scratch::new();
    let full = format!(
        r#"[{{"id": 7, "data": {{"labelmix_id": "{}", "text": "a"}}, "annotations": [
            {{"was_cancelled": true, "result": []}},
            {{"was_cancelled": false, "result": [{{"type": "choices", "value": {{"choices": ["1"]}}}}]}}]}},
           {{"id": 8, "data": {{"labelmix_id": "{}"}}, "annotations": [
            {{"was_cancelled": false, "result": [{{"type": "number", "value": {{"number": 0.25}}}}]}}]}}]"#,
        id("a"),
        id("b")
    );
    assert_eq!(labels(&scratch, "full.json", &full, LabelKind::Weak), [(id("a"), 1.0), (id("b"), 0.25)]);
    let flat = format!(r#"[{{"id": 7, "labelmix_id": "{}", "label": "0", "annotator": 1}}]"#, id("a"));
    assert_eq!(labels(&scratch, "flat.json", &flat, LabelKind::Gold), [(id("a"), 0.0)]);
}

/// As Label Studio 1.23 exports three tasks through its API: one with two annotations, one skipped, one with a choice.
#[test]
fn the_exports_of_a_label_studio_server_are_read() {
    let scratch = Scratch::new();
    let annotation = |number: u32, result: &str, cancelled: bool| {
        format!(
            r#"{{"id":{number},"completed_by":1,"result":[{result}],"was_cancelled":{cancelled},"ground_truth":false,
                "lead_time":null,"prediction":{{}},"task":1,"project":1,"parent_prediction":null}}"#
        )
    };
    let choice = |label: &str| {
        format!(r#"{{"from_name":"label","to_name":"text","type":"choices","value":{{"choices":["{label}"]}}}}"#)
    };
    let task = |number: u32, text: &str, annotations: &str| {
        format!(
            r#"{{"id":{number},"annotations":[{annotations}],"drafts":[],"predictions":[],"meta":{{}},"inner_id":{number},
                "data":{{"kind":"weak","labelmix_id":"{}","text":"{text}"}},"allow_skip":true}}"#,
            id(text)
        )
    };
    let twice = [annotation(1, &choice("0"), false), annotation(4, &choice("1"), false)].join(",");
    let tasks = [
        task(1, "a", &twice),
        task(2, "b", &annotation(2, "", true)),
        task(3, "c", &annotation(3, &choice("1"), false)),
    ];
    let full = format!("[{}]", tasks.join(","));
    assert_eq!(labels(&scratch, "full.json", &full, LabelKind::Weak), [(id("a"), 0.5), (id("c"), 1.0)]);

    // JSON-MIN and CSV have a row for each annotation, and none for what was skipped.
    let row = |text: &str, label: &str| {
        format!(
            r#"{{"kind":"weak","labelmix_id":"{}","text":"{text}","id":1,"label":"{label}","annotator":1,"lead_time":null}}"#,
            id(text)
        )
    };
    let flat = format!("[{}]", [row("a", "1"), row("a", "0"), row("c", "1")].join(","));
    let each = [(id("a"), 1.0), (id("a"), 0.0), (id("c"), 1.0)];
    assert_eq!(labels(&scratch, "min.json", &flat, LabelKind::Weak), each);
    let table = format!(
        "\"annotation_id\",\"annotator\",\"id\",\"kind\",\"label\",\"labelmix_id\",\"text\"\n\
         4,\"1\",1,\"weak\",\"1\",\"{a}\",\"a\"\n1,\"1\",1,\"weak\",\"0\",\"{a}\",\"a\"\n3,\"1\",3,\"weak\",\"1\",\"{c}\",\"c\"\n",
        a = id("a"),
        c = id("c")
    );
    assert_eq!(labels(&scratch, "export.csv", &table, LabelKind::Weak), each);
}

#[test]
fn annotators_who_disagree_about_gold_are_named() {
    let scratch = Scratch::new();
    let export = format!(
        r#"[{{"id": "{}", "responses": {{"label": [{{"value": "1"}}, {{"value": "0"}}]}}, "metadata": {{}}}}]"#,
        id("a")
    );
    let file = scratch.write("export.json", export);
    let error = read_collected_labels(&file, LabelKind::Gold, IfMissing::Refuse).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with(&format!("row 1: the annotators disagree about the gold label of {}: 1, 0", id("a")))
    );
}

#[test]
fn a_table_keeps_its_columns_in_their_order_and_lines_their_bytes() {
    let scratch = Scratch::new();
    let collected = |file: &str| {
        let content = format!("labelmix_id,label\n{},0.25\n{},0.75\n", id("a, b"), id("a, b"));
        let file = scratch.write(file, content);
        read_collected_labels(&file, LabelKind::Weak, IfMissing::Refuse).unwrap().labels
    };
    let table = scratch.write("train.csv", "source,text,gold\nweb,\"a, b\",1\nshop,c,\n");
    let rows = with_labels(&table, &columns(), &collected("a.csv"), LabelKind::Weak).unwrap();
    insta::assert_snapshot!(String::from_utf8(rows.jsonl).unwrap(), @r#"
    {"source":"web","text":"a, b","gold":"1","weak":0.5}
    {"source":"shop","text":"c","gold":""}
    "#);
    // A line that gets no label keeps its bytes, odd as they are.
    let lines = "{\"z\": 1.50,  \"text\": \"c\"}\n\n{\"text\": \"a, b\", \"a\": {\"y\": 1, \"b\": [null]}}\n";
    let table = scratch.write("train.jsonl", lines);
    let rows = with_labels(&table, &columns(), &collected("b.csv"), LabelKind::Weak).unwrap();
    insta::assert_snapshot!(String::from_utf8(rows.jsonl).unwrap(), @r#"
    {"z": 1.50,  "text": "c"}
    {"text":"a, b","a":{"y":1,"b":[null]},"weak":0.5}
    "#);
    assert_eq!((rows.rows, rows.labeled), (2, 1));
}

proptest! {
    /// Whatever a text holds, its list leads its label back to it.
    #[test]
    fn what_is_handed_out_comes_back(texts in prop::collection::btree_set("\\PC{1,30}", 1..8), format in 0usize..2) {
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.trim().is_empty()).collect();
        prop_assume!(!texts.is_empty());
        let scratch = Scratch::new();
        let examples: Vec<Example> = texts.iter().map(|text| Example::new(text.clone(), None, None)).collect();
        let format = [AnnotationFormat::Csv, AnnotationFormat::Jsonl][format];
        let request = label_requests(format, LabelKind::Gold, &examples.iter().collect::<Vec<_>>()).remove(0);
        let filled = match format {
            AnnotationFormat::Csv => request.content.replace(",gold,\n", ",gold,1\n"),
            _ => request.content.replace("\"label\":null", "\"label\":1"),
        };
        let file = scratch.write(&request.name, filled);
        let labels = read_collected_labels(&file, LabelKind::Gold, IfMissing::Refuse).unwrap().labels;
        let train: Vec<String> = texts.iter().map(|text| serde_json::json!({ "text": text }).to_string()).collect();
        let train = scratch.write("train.jsonl", train.join("\n"));
        let rows = with_labels(&train, &columns(), &labels, LabelKind::Gold).unwrap();
        prop_assert_eq!((rows.rows, rows.labeled), (texts.len(), texts.len()));
    }
}

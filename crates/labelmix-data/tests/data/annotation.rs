//! Labels on their way back: from tables and tools into the training file.

use std::fs;
use std::path::Path;

use labelmix_data::{
    AnnotationError, AnnotationFormat, Example, ExampleId, IfMissing, LabelValues, LabeledRows, TextColumns,
    label_requests, read_collected_labels, with_labels,
};
use labelmix_econ::LabelKind;
use miette::Diagnostic;
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
    let collected = read_collected_labels(&file, kind, &LabelValues::default(), IfMissing::LeaveOut).unwrap();
    collected.labels.iter().map(|label| (label.id().to_string(), label.label)).collect()
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
    let error = read_collected_labels(&file, LabelKind::Gold, &LabelValues::default(), IfMissing::Refuse).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with(&format!("line 1: the annotators disagree about the gold label of {}: 1, 0", id("a")))
    );
}

/// What `with_labels` writes under a name, and what it counts.
fn ingested(
    scratch: &Scratch,
    train: &Path,
    labels: &Path,
    kind: LabelKind,
    out: &str,
) -> Result<(String, LabeledRows), AnnotationError> {
    let labels = read_collected_labels(labels, kind, &LabelValues::default(), IfMissing::Refuse)?.labels;
    let out = scratch.path(out);
    let rows = with_labels(train, &columns(), &labels, kind, &out)?;
    Ok((fs::read_to_string(out).unwrap(), rows))
}

#[test]
fn a_table_keeps_its_columns_in_their_order_and_lines_their_bytes() {
    let scratch = Scratch::new();
    let labels = format!("labelmix_id,label\n{},0.25\n{},0.75\n", id("a, b"), id("a, b"));
    let labels = scratch.write("labels.csv", labels);
    let table = scratch.write("train.csv", "source,text,gold,number\nweb,\"a, b\",1,007\nshop,c,,1.50\n");
    let (written, _) = ingested(&scratch, &table, &labels, LabelKind::Weak, "new.csv").unwrap();
    insta::assert_snapshot!(written, @r#"
    source,text,gold,number,weak,labelmix_weak_round
    web,"a, b",1,007,0.5,1
    shop,c,,1.50,,
    "#);
    let (written, _) = ingested(&scratch, &table, &labels, LabelKind::Weak, "new.jsonl").unwrap();
    insta::assert_snapshot!(written, @r#"
    {"source":"web","text":"a, b","gold":"1","number":"007","weak":0.5,"labelmix_weak_round":1}
    {"source":"shop","text":"c","gold":"","number":"1.50"}
    "#);
    // A line that gets no label keeps its bytes, odd as they are, and one that does its other ones.
    let lines = "{\"z\": 1.50,  \"text\": \"c\"}\n\n{\"text\": \"a, b\", \"a\": {\"y\": 1, \"b\": [null]}}\n";
    let table = scratch.write("train.jsonl", lines);
    let (written, rows) = ingested(&scratch, &table, &labels, LabelKind::Weak, "newer.jsonl").unwrap();
    insta::assert_snapshot!(written, @r#"
    {"z": 1.50,  "text": "c"}
    {"text": "a, b", "a": {"y": 1, "b": [null]},"weak":0.5,"labelmix_weak_round":1}
    "#);
    assert_eq!((rows.rows, rows.texts, rows.labeled), (2, 1, 1));
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_behind() {
    let scratch = Scratch::new();
    let train = scratch.write("train.jsonl", "{\"text\": \"a\", \"gold\": 1}\n");
    let labels = scratch.write("labels.csv", format!("labelmix_id,label\n{},0\n", id("a")));
    let refused = ingested(&scratch, &train, &labels, LabelKind::Gold, "new.jsonl").unwrap_err();
    assert!(refused.to_string().contains("train.jsonl, line 1 says 1"), "{refused}");
    let refused = ingested(&scratch, &train, &labels, LabelKind::Gold, "train.jsonl").unwrap_err();
    assert!(refused.to_string().ends_with("train.jsonl is there already"), "{refused}");
    let files: Vec<_> = fs::read_dir(scratch.path("")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
}

#[test]
fn argillas_answers_count_only_when_they_were_submitted() {
    let scratch = Scratch::new();
    let response = |value: &str, status: &str| format!(r#"{{"value": "{value}", "user_id": "u", "status": {status}}}"#);
    let record = |text: &str, responses: &str| {
        format!(
            r#"{{"id": "{}", "status": "pending", "fields": {{"text": "{text}"}}, "metadata": {{"kind": "gold"}}, "responses": {responses}}}"#,
            id(text)
        )
    };
    let by_question = |responses: &[String]| format!(r#"{{"label": [{}]}}"#, responses.join(","));
    let second = [
        record("a", &by_question(&[response("1", "\"submitted\""), response("0", "\"discarded\"")])),
        record("b", &by_question(&[response("1", "\"draft\"")])),
        record("c", &by_question(&[response("1", "\"pending\"")])),
        record("d", &by_question(&[response("0", "null")])),
        record("e", "{}"),
    ];
    let second = format!("[{}]", second.join(","));
    let submitted = [(id("a"), 1.0), (id("d"), 0.0)];
    assert_eq!(labels(&scratch, "second.json", &second, LabelKind::Gold), submitted);

    // Flattened, as JSON, and as pandas writes it to CSV.
    let flat = |text: &str, values: &str, statuses: &str| {
        format!(
            r#"{{"id": "{}", "_server_id": "x", "text": "{text}", "kind": "gold", "label.responses": {values}, "label.responses.users": ["u"], "label.responses.status": {statuses}, "label.suggestion": "0"}}"#,
            id(text)
        )
    };
    let rows = [
        flat("a", "[\"1\", \"0\"]", "[\"submitted\", \"discarded\"]"),
        flat("b", "[\"1\"]", "[\"draft\"]"),
        flat("d", "[\"0\"]", "[null]"),
        flat("e", "null", "null"),
    ];
    assert_eq!(labels(&scratch, "flat.json", &format!("[{}]", rows.join(",")), LabelKind::Gold), submitted);
    assert_eq!(labels(&scratch, "flat.jsonl", &rows.join("\n"), LabelKind::Gold), submitted);
    let table = format!(
        "id,text,kind,label.responses,label.responses.status\n{},a,gold,\"['1', '0']\",\"['submitted', 'discarded']\"\n{},b,gold,['1'],['draft']\n{},d,gold,['0'],[None]\n",
        id("a"),
        id("b"),
        id("d")
    );
    assert_eq!(labels(&scratch, "flat.csv", &table, LabelKind::Gold), submitted);

    // Argilla 1: responses by annotator, a data set's column of responses, and the oldest records.
    let first = |text: &str, responses: &str| {
        format!(
            r#"{{"id": "0b9a7fd8", "external_id": "{}", "fields": {{"text": "{text}"}}, "responses": [{responses}], "suggestions": []}}"#,
            id(text)
        )
    };
    let of_user = |value: &str, status: &str| {
        format!(r#"{{"user_id": "u", "values": {{"label": {{"value": "{value}"}}}}, "status": "{status}"}}"#)
    };
    let records = [
        first("a", &[of_user("1", "submitted"), of_user("0", "discarded")].join(",")),
        first("b", &of_user("1", "draft")),
        first("d", &of_user("0", "submitted")),
    ];
    assert_eq!(labels(&scratch, "first.json", &format!("[{}]", records.join(",")), LabelKind::Gold), submitted);
    let of_data_set = |text: &str, responses: &str| {
        format!(
            r#"{{"text": "{text}", "label": [{responses}], "label-suggestion": "1", "external_id": "{}", "metadata": "{{\"kind\": \"gold\"}}"}}"#,
            id(text)
        )
    };
    let rows = [
        of_data_set("a", &[response("1", "\"submitted\""), response("0", "\"discarded\"")].join(",")),
        of_data_set("b", &response("1", "\"draft\"")),
        of_data_set("d", &response("0", "\"submitted\"")),
    ];
    assert_eq!(labels(&scratch, "set.jsonl", &rows.join("\n"), LabelKind::Gold), submitted);
    let oldest = |text: &str, annotation: &str, status: &str| {
        format!(
            r#"{{"id": "{}", "inputs": {{"text": "{text}"}}, "prediction": [["1", 0.9]], "annotation": {annotation}, "status": "{status}"}}"#,
            id(text)
        )
    };
    let rows = [
        oldest("a", "\"1\"", "Validated"),
        oldest("b", "\"1\"", "Discarded"),
        oldest("c", "null", "Default"),
        oldest("d", "\"0\"", "Validated"),
    ];
    assert_eq!(labels(&scratch, "oldest.json", &format!("[{}]", rows.join(",")), LabelKind::Gold), submitted);
}

#[test]
fn what_label_studio_did_not_submit_is_no_label() {
    let scratch = Scratch::new();
    let choice = |from: &str, label: &str| {
        format!(r#"{{"from_name": "{from}", "type": "choices", "value": {{"choices": ["{label}"]}}}}"#)
    };
    let task = |text: &str, annotations: &str, drafts: &str, predictions: &str| {
        format!(
            r#"{{"id": 1, "data": {{"labelmix_id": "{}", "text": "{text}"}}, "annotations": [{annotations}], "drafts": [{drafts}], "predictions": [{predictions}]}}"#,
            id(text)
        )
    };
    let result = |result: &str| format!(r#"{{"result": [{result}]}}"#);
    let tasks = [
        // Another question stands before ours.
        task("a", &result(&[choice("topic", "sport"), choice("label", "1")].join(",")), "", ""),
        task(
            "b",
            r#"{"was_cancelled": true, "result": []}"#,
            &result(&choice("label", "1")),
            &result(&choice("label", "1")),
        ),
        task("c", "", &result(&choice("label", "0")), &result(&choice("label", "0"))),
    ];
    assert_eq!(labels(&scratch, "full.json", &format!("[{}]", tasks.join(",")), LabelKind::Gold), [(id("a"), 1.0)]);
    let old = format!(
        r#"[{{"data": {{"labelmix_id": "{}"}}, "completions": [{{"skipped": true, "result": [{r}]}}, {{"result": [{r}]}}]}}]"#,
        id("a"),
        r = choice("label", "1")
    );
    assert_eq!(labels(&scratch, "old.json", &old, LabelKind::Gold), [(id("a"), 1.0)]);

    // JSON-MIN of a number, and CSV with what was skipped.
    let number = format!(r#"[{{"labelmix_id": "{}", "label": [{{"number": 0.25}}], "annotator": 1}}]"#, id("a"));
    assert_eq!(labels(&scratch, "min.json", &number, LabelKind::Weak), [(id("a"), 0.25)]);
    let table = format!(
        "annotator,choice,id,labelmix_id,was_cancelled\n1,1,7,{a},False\n2,0,8,{b},True\n3,\"[{{\"\"number\"\": 0.5}}]\",9,{c},\n",
        a = id("a"),
        b = id("b"),
        c = id("c")
    );
    assert_eq!(labels(&scratch, "export.csv", &table, LabelKind::Weak), [(id("a"), 1.0), (id("c"), 0.5)]);

    // Two choices of one annotator are no answer to a question with one.
    let both = format!(r#"[{{"labelmix_id": "{}", "label": {{"choices": ["0", "1"]}}}}]"#, id("a"));
    let both = scratch.write("both.json", both);
    assert!(read_collected_labels(&both, LabelKind::Gold, &LabelValues::default(), IfMissing::LeaveOut).is_err());
}

/// Texts with chosen ids cannot be made, so the id of one text stands for a damaged one of another.
#[test]
fn the_text_decides_where_a_spreadsheet_has_damaged_the_id() {
    let scratch = Scratch::new();
    let train = scratch.write("train.jsonl", "{\"text\": \"a good soup\"}\n{\"text\": \"a bad soup\"}\n");
    let (good, bad) = (id("a good soup"), id("a bad soup"));
    let written = |name: &str, rows: &str| {
        let labels = scratch.write(&format!("{name}.csv"), format!("text,labelmix_id,label\n{rows}\n"));
        ingested(&scratch, &train, &labels, LabelKind::Gold, &format!("{name}.jsonl"))
    };
    let first = "{\"text\": \"a good soup\",\"gold\":1,\"labelmix_gold_round\":1}\n{\"text\": \"a bad soup\"}\n";
    for (name, row) in [
        ("marked", format!("a good soup,t{good},1")),
        ("large", format!("a good soup,{},1", good.to_uppercase())),
        ("alone", format!(",{good},1")),
        ("exponent", "a good soup,1.23457E+15,1".to_owned()),
        ("rounded", "a good soup,1234567890123450,1".to_owned()),
        ("lost", "a good soup,,1".to_owned()),
        ("retyped", format!("A good  soup!,{good},1")),
    ] {
        assert_eq!(written(name, &row).unwrap().0, first, "{name}");
    }
    let swapped = written("swapped", &format!("a good soup,{bad},1")).unwrap_err().to_string();
    assert!(
        swapped.contains(&format!("swapped.csv, line 2: {bad} is the id of another text: `a bad soup`")),
        "{swapped}"
    );
    let other = written("other", &format!("something else,{good},1")).unwrap_err().to_string();
    assert!(other.contains("is the id of another text: `a good soup`"), "{other}");
    let number = written("number", ",1.23457E+15,1").unwrap_err();
    assert!(number.help().unwrap().to_string().contains("a spreadsheet has read the id as a number"), "{number}");
}

/// What a spreadsheet makes of a cell of a CSV file: numbers are read, and printed with fifteen digits.
fn through_a_spreadsheet(field: &str) -> String {
    let number = field.trim().parse::<f64>().ok().filter(|number| number.is_finite() && !field.contains("inf"));
    number.map_or_else(
        || field.to_owned(),
        |number| {
            if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.0}") } else { format!("{number:.5E}") }
        },
    )
}

proptest! {
    /// Whatever a text holds, its list leads its label back to it, also by way of a spreadsheet that has sorted the rows, added
    /// a column, and read and printed what looks like a number to it.
    #[test]
    fn what_is_handed_out_comes_back(
        texts in prop::collection::btree_set("[=+@'-]{0,2}\\PC{1,30}", 1..8),
        spreadsheet: bool,
        format in 0usize..2,
    ) {
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.trim().is_empty()).collect();
        prop_assume!(!texts.is_empty());
        let scratch = Scratch::new();
        let examples: Vec<Example> = texts.iter().map(|text| Example::new(text.clone(), None, None)).collect();
        let format = [AnnotationFormat::Csv, AnnotationFormat::Jsonl][format];
        let request = label_requests(format, LabelKind::Gold, &examples.iter().collect::<Vec<_>>()).remove(0);
        let filled = match format {
            AnnotationFormat::Csv => {
                let mut reader = csv::Reader::from_reader(request.content.as_bytes());
                let mut rows: Vec<[String; 4]> = reader.records().map(|row| {
                    let row = row.unwrap();
                    prop_assert!(!row[1].starts_with(['=', '+', '-', '@']));
                    let [id, text, kind] = [&row[0], &row[1], &row[2]].map(|field| if spreadsheet { through_a_spreadsheet(field) } else { field.to_owned() });
                    Ok([kind, text, "1".to_owned(), id])
                }).collect::<Result<_, TestCaseError>>()?;
                rows.reverse();
                let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
                writer.write_record(["kind", "text", "label", "labelmix_id"]).unwrap();
                for row in &rows {
                    writer.write_record(row).unwrap();
                }
                String::from_utf8(writer.into_inner().unwrap()).unwrap()
            }
            _ => request.content.replace("\"label\":null", "\"label\":1"),
        };
        let labels = scratch.write(&request.name, filled);
        let train: Vec<String> = texts.iter().map(|text| serde_json::json!({ "text": text }).to_string()).collect();
        let train = scratch.write("train.jsonl", train.join("\n"));
        let (_, rows) = ingested(&scratch, &train, &labels, LabelKind::Gold, "new.jsonl").unwrap();
        prop_assert_eq!((rows.rows, rows.labeled), (texts.len(), texts.len()));
    }
}

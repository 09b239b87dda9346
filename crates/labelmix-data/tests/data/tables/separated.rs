//! CSV and its kin: separators, quotes, and the lines that errors name.

use insta::assert_snapshot;
use labelmix_data::field_names;

use super::{refusal_of, texts_of, training_refusal_of};
use crate::scratch::Scratch;

#[test]
fn every_usual_separator() {
    for separator in [",", "\t", ";", "|"] {
        for name in ["t.csv", "t.tsv", "t.txt"] {
            let content = ["id,text,gold", "1,\"a,b;c\td|e\",1", "2,x,0"].join("\n").replace(',', "\u{1}");
            let content = content.replace("a\u{1}b", "a,b").replace('\u{1}', separator);
            assert_eq!(texts_of(name, content), ["a,b;c\td|e", "x"], "{separator:?} in {name}");
        }
    }
}

#[test]
fn the_separator_is_the_one_that_divides_every_record_alike() {
    let content = "text, as it was;gold, 0 or 1\na, b, c;1\nd;0\ne, f;1\n";
    let scratch = Scratch::new();
    assert_eq!(field_names(&scratch.write("t.csv", content)).unwrap(), ["text, as it was", "gold, 0 or 1"]);
}

#[test]
fn a_single_column_has_no_separator() {
    assert_eq!(texts_of("t.txt", "text\nwell; then\nyes | no\n\"a, b\"\n"), ["well; then", "yes | no", "a, b"]);
}

#[test]
fn the_line_by_which_excel_names_the_separator() {
    assert_eq!(texts_of("t.csv", "sep=,\r\ntext,gold\r\na,1\r\n"), ["a"]);
    assert_eq!(texts_of("t.csv", "\u{feff}SEP=^\ntext^gold\na,b^1\n"), ["a,b"]);
    assert_eq!(texts_of("t.csv", "\"sep=;\"\ntext;gold\na,b;1\n"), ["a,b"]);
    assert!(training_refusal_of("t.csv", "sep=;\ntext;gold;weak\na;1;1\nb;maybe;1\n").starts_with("t.csv, line 4,"));
}

#[test]
fn decimal_commas_where_another_separator_leaves_them_free() {
    let scratch = Scratch::new();
    scratch.write("t.csv", "text;gold;weak\na;1;0,75\nb;0;1\n\"1,5\";;0,25\n");
    let options = labelmix_data::CleaningOptions { balance: labelmix_data::Balance::AsIs, max_test: None };
    let mut train = scratch.load("t.csv", &options).unwrap().train;
    train.sort_by(|a, b| a.text.cmp(&b.text));
    let read: Vec<_> = train.iter().map(|example| (example.text.as_str(), example.weak)).collect();
    assert_eq!(read, [("1,5", Some(0.25)), ("a", Some(0.75)), ("b", Some(1.0))]);
}

#[test]
fn a_fault_is_on_the_line_that_an_editor_shows() {
    let rows = ["text,gold,weak", "a,1,1", "", "b,0,0", "\"two", "lines\",1,1", "c,maybe,0"];
    for end in ["\n", "\r\n", "\r"] {
        for start in ["", "\u{feff}"] {
            let refusal = training_refusal_of("t.csv", format!("{start}{}{end}", rows.join(end)));
            assert!(refusal.starts_with("t.csv, line 7, column `gold`: `maybe`"), "{end:?}: {refusal}");
        }
    }
    let refusal = training_refusal_of("t.csv", "text,gold,weak\na,1,1\n\"two\n\nlines\",maybe,1\n");
    assert!(refusal.starts_with("t.csv, line 3, column `gold`"), "the record begins there: {refusal}");
}

#[test]
fn a_quote_that_is_never_closed() {
    let mut rows: Vec<String> = (1..40).map(|row| format!("{row},text {row}")).collect();
    rows[15] = "16,\"no, she said".to_owned();
    assert_snapshot!(refusal_of("t.csv", format!("id,text\n{}\n", rows.join("\n"))), @r#"
    t.csv, line 17: a double quote is opened and never closed
    hint: if the quote is part of the text, put the whole field in double quotes and double those inside ("she said ""no"""); programs that write CSV do so
    "#);
    let middle = "text,gold\n\"no, she said,1\nfine,0\nfine too,1\n";
    assert!(refusal_of("t.csv", middle).starts_with("t.csv, line 2: a double quote is opened and never closed"));
    assert!(refusal_of("t.csv", "\"text,gold\na,1\n").starts_with("t.csv, line 1: a double quote is opened and never"));
}

#[test]
fn a_quote_that_another_stray_quote_closes() {
    assert_snapshot!(refusal_of("t.csv", "id,text\n1,a\n2,\"no, she said\n3,b\n4,\"yes\" he said\n5,c\n"), @r#"
    t.csv, line 3: a double quote is opened and closed only on line 5, in the middle of a field
    hint: if the quote is part of the text, put the whole field in double quotes and double those inside ("she said ""no"""); programs that write CSV do so
    "#);
    assert_snapshot!(refusal_of("t.csv", "id,text,gold\n1,\"no she said,1\n3,b,0\n4,c,\"1\"\n5,c,1\n"), @r#"
    t.csv, line 2: a double quote is opened and closed only on line 4, in the middle of a field
    hint: if the quote is part of the text, put the whole field in double quotes and double those inside ("she said ""no"""); programs that write CSV do so
    "#);
}

#[test]
fn a_text_that_begins_with_a_quotation_is_read_as_pandas_reads_it() {
    assert_eq!(
        texts_of("t.csv", "text,gold\n\"Great\" they say,1\nsaid \"no\" twice,0\n"),
        ["Great they say", "said \"no\" twice"]
    );
}

#[test]
fn a_record_with_too_few_fields() {
    assert_snapshot!(refusal_of("t.csv", "id;text;gold\n1;a;1\n\n2;b\n"), @r"
    t.csv, line 4: not a CSV record of this file: 2 fields, where the header has 3
    hint: every record needs as many fields as the header; a field with a separator (`;`) or a line break in it must be in double quotes
    ");
}

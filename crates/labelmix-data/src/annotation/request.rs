//! Lists of texts to label, for people and for their tools.

use labelmix_econ::LabelKind;
use serde_json::json;

use super::formula::guarded;
use super::listed_id::for_spreadsheets;
use super::{AnnotationFormat, ID, KIND, LABEL};
use crate::example::Example;

/// A file of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFile {
    pub name: String,
    pub content: String,
}

/// The files that ask for a kind of labels for these texts, in their order: none where there are no texts.
pub fn label_requests(format: AnnotationFormat, kind: LabelKind, examples: &[&Example]) -> Vec<RequestFile> {
    if examples.is_empty() {
        return Vec::new();
    }
    let file = |ending: &str, content: String| RequestFile { name: format!("{}{ending}", kind.name()), content };
    match format {
        AnnotationFormat::Csv => vec![file(".csv", csv(kind, examples))],
        AnnotationFormat::Jsonl => vec![file(".jsonl", jsonl(kind, examples))],
        AnnotationFormat::LabelStudio => {
            vec![file(".json", label_studio(kind, examples)), file("-labeling.xml", LABELING_CONFIGURATION.to_owned())]
        }
        AnnotationFormat::Argilla => vec![file(".json", argilla(kind, examples))],
    }
}

const OF_TEXTS: &str = "what is made of texts is text";

/// For spreadsheets. Texts stand in quotation marks whatever they hold: programs that take semicolons and tabs for separators,
/// too, would cut them otherwise.
fn csv(kind: LabelKind, examples: &[&Example]) -> String {
    let header = format!("{ID},text,{KIND},{LABEL}\n");
    let line = |example: &&Example| {
        let text = guarded(&example.text).replace('"', "\"\"");
        format!("{},\"{text}\",{},\n", for_spreadsheets(example.id), kind.name())
    };
    std::iter::once(header).chain(examples.iter().map(line)).collect()
}

fn jsonl(kind: LabelKind, examples: &[&Example]) -> String {
    /// In the order in which people look at it.
    #[derive(serde::Serialize)]
    struct Request<'a> {
        labelmix_id: String,
        text: &'a str,
        kind: &'static str,
        label: Option<u8>,
    }
    let mut content = String::new();
    for example in examples {
        let request =
            Request { labelmix_id: example.id.to_string(), text: &example.text, kind: kind.name(), label: None };
        content += &serde_json::to_string(&request).expect(OF_TEXTS);
        content.push('\n');
    }
    content
}

/// What annotators see in Label Studio: the text, and a choice of 0 and 1.
const LABELING_CONFIGURATION: &str = r#"<View>
  <Text name="text" value="$text"/>
  <Choices name="label" toName="text" choice="single" required="true" showInline="true">
    <Choice value="0"/>
    <Choice value="1"/>
  </Choices>
</View>
"#;

fn label_studio(kind: LabelKind, examples: &[&Example]) -> String {
    let task =
        |example: &&Example| json!({ "data": { ID: example.id.to_string(), "text": example.text, KIND: kind.name() } });
    pretty(&examples.iter().map(task).collect::<Vec<_>>())
}

fn argilla(kind: LabelKind, examples: &[&Example]) -> String {
    let record = |example: &&Example| {
        json!({
            "id": example.id.to_string(),
            "fields": { "text": example.text },
            "metadata": { KIND: kind.name() },
            "suggestions": {},
            "responses": {},
            "vectors": {},
        })
    };
    pretty(&examples.iter().map(record).collect::<Vec<_>>())
}

fn pretty(list: &[serde_json::Value]) -> String {
    serde_json::to_string_pretty(list).expect(OF_TEXTS) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: AnnotationFormat) -> String {
        let examples = [Example::new("abc".to_owned(), None, None), Example::new("a, \"b\"".to_owned(), None, None)];
        let files = label_requests(format, LabelKind::Gold, &examples.iter().collect::<Vec<_>>());
        let text = |file: RequestFile| format!("{}:\n{}", file.name, file.content);
        files.into_iter().map(text).collect()
    }

    #[test]
    fn tables_with_a_column_to_fill_in() {
        insta::assert_snapshot!(written(AnnotationFormat::Csv), @r#"
        gold.csv:
        labelmix_id,text,kind,label
        t6437b3ac38465133,"abc",gold,
        tc109f837a098c064,"a, ""b""",gold,
        "#);
        insta::assert_snapshot!(written(AnnotationFormat::Jsonl), @r#"
        gold.jsonl:
        {"labelmix_id":"6437b3ac38465133","text":"abc","kind":"gold","label":null}
        {"labelmix_id":"c109f837a098c064","text":"a, \"b\"","kind":"gold","label":null}
        "#);
    }

    #[test]
    fn tasks_of_label_studio_and_records_of_argilla() {
        insta::assert_snapshot!(written(AnnotationFormat::LabelStudio), @r#"
        gold.json:
        [
          {
            "data": {
              "kind": "gold",
              "labelmix_id": "6437b3ac38465133",
              "text": "abc"
            }
          },
          {
            "data": {
              "kind": "gold",
              "labelmix_id": "c109f837a098c064",
              "text": "a, \"b\""
            }
          }
        ]
        gold-labeling.xml:
        <View>
          <Text name="text" value="$text"/>
          <Choices name="label" toName="text" choice="single" required="true" showInline="true">
            <Choice value="0"/>
            <Choice value="1"/>
          </Choices>
        </View>
        "#);
        insta::assert_snapshot!(written(AnnotationFormat::Argilla), @r#"
        gold.json:
        [
          {
            "fields": {
              "text": "abc"
            },
            "id": "6437b3ac38465133",
            "metadata": {
              "kind": "gold"
            },
            "responses": {},
            "suggestions": {},
            "vectors": {}
          },
          {
            "fields": {
              "text": "a, \"b\""
            },
            "id": "c109f837a098c064",
            "metadata": {
              "kind": "gold"
            },
            "responses": {},
            "suggestions": {},
            "vectors": {}
          }
        ]
        "#);
    }

    #[test]
    fn nothing_to_label_needs_no_file() {
        assert!(label_requests(AnnotationFormat::Csv, LabelKind::Weak, &[]).is_empty());
    }
}

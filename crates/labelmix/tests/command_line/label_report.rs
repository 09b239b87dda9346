//! `label-report`: the quality of the weak labels, without a model.

use std::fs;

use serde_json::{Value as Json, json};

use crate::workplace::Workplace;

/// The example's study, without its model.
fn example_study(workplace: &Workplace) {
    let example = crate::workplace::example();
    let study = fs::read_to_string(example.join("study.toml")).unwrap();
    let study = study.replace("\"train.jsonl\"", &format!("\"{}/train.jsonl\"", example.display()));
    workplace.write("study.toml", study.replace("\"test.jsonl\"", &format!("\"{}/test.jsonl\"", example.display())));
}

#[test]
fn the_report_on_the_example() {
    let workplace = Workplace::new();
    example_study(&workplace);
    insta::assert_snapshot!(workplace.output_of(&["label-report", "study.toml"]), @r#"
reviews: the weak labels beside the gold labels
pool: 3,200 examples, 3,200 with a gold label, 3,200 with a weak label, 3,200 with both
test: 600 examples, 600 with a gold label, 600 with a weak label, 600 with both

Quality (95% intervals in brackets)
                     pool               test
─────────────────────────────────────────────────────────
 labels              3,200              600
 accuracy            .752 (.737–.767)   .777 (.742–.808)
 AUROC               .819 (.803–.833)   .848 (.816–.879)
 log-loss            .578 nats          .511 nats
 Brier score         .181               .159
 calibration error   .092               .065

pool: confusion
 gold   weak says 0   weak says 1
──────────────────────────────────
    0         1,162           438
    1           354         1,246

pool: calibration, or what the weak labels claim and what is true
 weak label   labels   mean   share of gold 1
───────────────────────────────────────────────
 0.0–0.1         839   .048   .132 (.111–.157)
 0.1–0.2         341   .182   .320 (.272–.371)
 0.3–0.4         336   .378   .399 (.348–.452)
 0.4–0.5          47   .500   .617 (.474–.742)
 0.6–0.7         371   .622   .539 (.488–.589)
 0.8–0.9         408   .818   .716 (.670–.757)
 0.9–1.0         858   .953   .845 (.819–.868)

pool: where they fail (* the interval lies below the accuracy of all)
                      labels   wrong   accuracy
──────────────────────────────────────────────────────────
 39–69 characters        646     125   .807 (.774–.835)
 70–86 characters        671     102   .848 (.819–.873)
 87–101 characters       626     134   .786 (.752–.816)
 102–124 characters      643     177   .725 (.689–.758)
 125–239 characters      614     254   .586 (.547–.625) *
 gold 0                1,600     438   .726 (.704–.748) *
 gold 1                1,600     354   .779 (.758–.798)
 confidence 0.5–0.6       47      18   .617 (.474–.742) *
 confidence 0.6–0.7      707     305   .569 (.532–.605) *
 confidence 0.8–0.9      749     225   .700 (.666–.731) *
 confidence 0.9–1.0    1,697     244   .856 (.839–.872)

pool: the errors can be told from the text: a probe on its words finds them with AUROC .957 (.948–.966); chance is .500.
A model trained on these labels can learn the errors as well.

test: confusion
 gold   weak says 0   weak says 1
──────────────────────────────────
    0           230            70
    1            64           236

test: calibration, or what the weak labels claim and what is true
 weak label   labels   mean   share of gold 1
───────────────────────────────────────────────
 0.0–0.1         160   .051   .113 (.072–.171)
 0.1–0.2          69   .182   .232 (.148–.344)
 0.3–0.4          65   .378   .462 (.346–.581)
 0.4–0.5           8   .500   .625 (.306–.863)
 0.6–0.7          68   .622   .559 (.441–.671)
 0.8–0.9          75   .818   .747 (.638–.831)
 0.9–1.0         155   .948   .884 (.824–.925)

test: where they fail (* the interval lies below the accuracy of all)
                      labels   wrong   accuracy
──────────────────────────────────────────────────────────
 39–70 characters        124      25   .798 (.719–.860)
 71–85 characters        117      11   .906 (.839–.947)
 86–100 characters       120      18   .850 (.775–.903)
 101–121 characters      119      32   .731 (.645–.803)
 122–225 characters      120      48   .600 (.511–.683) *
 gold 0                  300      70   .767 (.716–.811)
 gold 1                  300      64   .787 (.737–.829)
 confidence 0.5–0.6        8       3   .625 (.306–.863)
 confidence 0.6–0.7      133      60   .549 (.464–.631) *
 confidence 0.8–0.9      144      35   .757 (.681–.820)
 confidence 0.9–1.0      315      36   .886 (.846–.916)

test: the errors can be told from the text: a probe on its words finds them with AUROC .871 (.824–.912); chance is .500.
A model trained on these labels can learn the errors as well.
"#);
}

#[test]
fn a_folder_of_files_and_json() {
    let workplace = Workplace::new();
    let printed = workplace.output_of(&["label-report", "study.toml", "--json", "--out", "report"]);
    let report: Json = serde_json::from_str(&printed).unwrap();
    let folder = workplace.path().join("report");
    assert_eq!(fs::read_to_string(folder.join("labels.json")).unwrap(), printed);
    assert_eq!(
        fs::read_to_string(folder.join("labels.txt")).unwrap(),
        workplace.output_of(&["label-report", "study.toml"])
    );
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let figures = ["pool_accuracy", "pool_calibration", "test_accuracy", "test_calibration"];
    let files = |formats: &[&str]| -> Vec<String> {
        figures.iter().flat_map(|name| formats.iter().map(move |format| format!("{name}.{format}"))).collect()
    };
    let others = [".labelmix-files", "labels.json", "labels.txt"].map(str::to_owned).to_vec();
    assert_eq!(names, [others, files(&["pdf", "svg"])].concat());

    workplace.output_of(&["label-report", "study.toml", "--out", "pixels", "--figures", "png,png"]);
    assert!(files(&["png"]).iter().all(|name| workplace.path().join("pixels").join(name).exists()));
    assert!(!workplace.path().join("pixels/pool_accuracy.svg").exists());

    assert_eq!(report["study"], "small");
    for split in ["pool", "test"] {
        let quality = &report[split]["quality"];
        assert_eq!(quality["count"], report[split]["with_weak"]);
        let (right, count) = (quality["accuracy"].as_f64().unwrap(), quality["count"].as_f64().unwrap());
        for groups in ["by_length", "by_gold_class", "by_confidence"] {
            let groups = quality[groups].as_array().unwrap();
            let total = |field: &str| groups.iter().map(|group| group[field].as_f64().unwrap()).sum::<f64>();
            assert_eq!(total("count"), count);
            assert!((total("wrong") - (1.0 - right) * count).abs() < 1e-6);
        }
        assert_eq!(
            quality["errors"]["verdict"], "learnable",
            "keyword labels err on the texts that keywords mislead on"
        );
    }
    // What a sweep says of the same labels.
    let table = workplace.output_of(&["sweep", "study.toml"]);
    let accuracy = format!("is right {:.3} of the time", report["pool"]["quality"]["accuracy"].as_f64().unwrap());
    assert!(table.contains(&accuracy.replace("0.", ".")), "{table}");
}

#[test]
fn labels_that_cannot_be_judged() {
    let complaint = |train: &str, test: &str| {
        let workplace = Workplace::new();
        workplace.write("train.csv", train);
        workplace.write("test.csv", test);
        let study = "name = \"tiny\"\n[task]\ntrain = \"train.csv\"\ntest = \"test.csv\"\n[model]\npath = \"none\"\n";
        workplace.write("study.toml", study);
        let output = workplace.labelmix(&["label-report", "study.toml"]).assert().code(1).get_output().clone();
        assert!(output.stdout.is_empty(), "nothing but data goes to standard output");
        String::from_utf8(output.stderr).unwrap()
    };
    let test = "text,gold\nc,1\nd,0\n";
    insta::assert_snapshot!(complaint("text,gold,weak\na,1,\nb,0,\n", test), @r#"
error: none of the 4 examples has a weak label
hint: fill the column that `weak` names in the study's [task] table, or name another one there
"#);
    insta::assert_snapshot!(complaint("text,gold,weak\na,,0.9\nb,,0.1\n", test), @r#"
error: none of the 2 examples with a weak label has a gold label
hint: weak labels are judged by gold labels of the same texts: add some, for a hundred examples drawn at random to begin with
"#);
    insta::assert_snapshot!(complaint("text,gold\na,1\nb,0\n", test), @r#"
error: train.csv: there is no column `weak`; the columns are `text`, `gold`
hint: name one of these columns, or add the one that is missing
"#);
}

/// A task whose rows have a weak label and fields: the labels are wrong on every other review of the forum.
fn with_fields() -> Workplace {
    let workplace = Workplace::new();
    let row = |split: &str, number: usize| {
        let gold = number % 2;
        let source = ["shop", "forum", "mail"][number % 3];
        let is_wrong = source == "forum" && number % 4 < 2;
        let guest = if number.is_multiple_of(5) { Json::Null } else { json!({"age": 20 + number}) };
        let weak = if is_wrong { 1 - gold } else { gold };
        json!({
            "review": format!("{split} {number}"), "stars": gold, "ann": weak, "source": source, "guest": guest,
            "site": format!("site {}", number % 15),
        })
        .to_string()
            + "\n"
    };
    for (split, rows) in [("train", 60), ("test", 8)] {
        workplace.write(&format!("data/{split}.jsonl"), (0..rows).map(|number| row(split, number)).collect::<String>());
    }
    workplace.write(
        "mine.toml",
        "description = \"Reviews\"\ntemplate = \"{{ review }}\"\n[local]\nfolder = \"data\"\n\
         [binary]\nlabel = \"stars\"\n[weak]\ncolumns = \"ann\"\n",
    );
    workplace.write("study.toml", crate::task_studies::study("file = \"mine.toml\""));
    workplace
}

#[test]
fn where_labels_fail_by_field() {
    let workplace = with_fields();
    let by = ["--by", "source", "--by", "guest.age", "--by", "site", "--by", "source"];
    let text = workplace.output_of(&[&["label-report", "study.toml"][..], &by].concat());
    let pool: Vec<&str> =
        text.split("\n\n").filter(|section| section.starts_with("pool: where they fail by ")).collect();
    insta::assert_snapshot!(pool.join("\n\n"), @r#"
pool: where they fail by source (* the interval lies below the accuracy of all)
         labels   wrong   accuracy
─────────────────────────────────────────────
 forum       20      10   .500 (.299–.701) *
 mail        20       0   1.000 (.839–1.000)
 shop        20       0   1.000 (.839–1.000)

pool: where they fail by guest.age
            labels   wrong   accuracy
──────────────────────────────────────────────
 21 to 32       10       2   .800 (.490–.943)
 33 to 44       10       2   .800 (.490–.943)
 46 to 56        9       1   .889 (.565–.980)
 57 to 68       10       1   .900 (.596–.982)
 69 to 79        9       2   .778 (.453–.937)
 no value       12       2   .833 (.552–.953)

pool: where they fail by site
                  labels   wrong   accuracy
──────────────────────────────────────────────────────
 site 0                4       0   1.000 (.510–1.000)
 site 1                4       2   .500 (.150–.850)
 site 10               4       2   .500 (.150–.850)
 site 11               4       0   1.000 (.510–1.000)
 site 12               4       0   1.000 (.510–1.000)
 site 13               4       2   .500 (.150–.850)
 site 14               4       0   1.000 (.510–1.000)
 site 2                4       0   1.000 (.510–1.000)
 site 3                4       0   1.000 (.510–1.000)
 site 4                4       2   .500 (.150–.850)
 5 other values       20       2   .900 (.699–.972)
"#);

    let printed =
        workplace.output_of(&[&["label-report", "study.toml", "--json", "--out", "report"][..], &by].concat());
    let report: Json = serde_json::from_str(&printed).unwrap();
    for split in ["pool", "test"] {
        let by_field = report[split]["quality"]["by_field"].as_array().unwrap();
        let names: Vec<&Json> = by_field.iter().map(|breakdown| &breakdown["field"]).collect();
        assert_eq!(names, ["source", "guest.age", "site"]);
        for breakdown in by_field {
            let counts = breakdown["groups"].as_array().unwrap().iter().map(|group| group["count"].as_u64().unwrap());
            assert_eq!(counts.sum::<u64>(), report[split]["quality"]["count"].as_u64().unwrap());
            let figure = format!("report/{split}_accuracy_by_{}.svg", breakdown["field"].as_str().unwrap());
            assert!(fs::read_to_string(workplace.path().join(figure)).unwrap().starts_with("<svg"));
        }
    }
    let age = &report["pool"]["quality"]["by_field"][1]["groups"];
    assert_eq!((&age[0]["values"]["low"], &age[5]["value"]), (&json!(21.0), &Json::Null));
}

#[test]
fn fields_that_could_be_named_and_those_that_cannot() {
    let workplace = with_fields();
    let unasked = workplace.labelmix(&["label-report", "study.toml"]).assert().success().get_output().clone();
    insta::assert_snapshot!(String::from_utf8(unasked.stderr).unwrap().trim(), @"`--by FIELD` breaks the accuracy down by a field of the rows: ann, review, site, source, stars, guest.age");
    assert!(!String::from_utf8(unasked.stdout).unwrap().contains("fail by"));
    insta::assert_snapshot!(workplace.complaint(&["label-report", "study.toml", "--by", "source", "--by", "guest.aeg"]), @r#"
error: data/train.jsonl: there is no column `guest.aeg`; the columns are `ann`, `review`, `site`, `source`, `stars`, `guest.age`
hint: did you mean `guest.age`?
"#);

    // Of files of texts, what is neither text nor label.
    let workplace = Workplace::new();
    workplace.write("train.csv", "text,gold,weak,year\na,1,1,1999\nb,0,1,\n");
    workplace.write("test.csv", "text,gold\nc,1\nd,0\n");
    let study = "name = \"tiny\"\n[task]\ntrain = \"train.csv\"\ntest = \"test.csv\"\n[model]\npath = \"none\"\n";
    workplace.write("study.toml", study);
    let unasked = workplace.labelmix(&["label-report", "study.toml"]).assert().success().get_output().clone();
    insta::assert_snapshot!(String::from_utf8(unasked.stderr).unwrap().trim(), @"`--by FIELD` breaks the accuracy down by a field of the rows: year");
    let text = workplace.output_of(&["label-report", "study.toml", "--by", "year"]);
    insta::assert_snapshot!(text.split("\n\n").find(|section| section.contains("fail by")).unwrap(), @r#"
pool: where they fail by year
            labels   wrong   accuracy
────────────────────────────────────────────────
 1999            1       0   1.000 (.207–1.000)
 no value        1       1   .000 (.000–.793)
"#);
}

/// Three annotators who are right about four texts of five, each about others, and weak labels that are right as often.
#[test]
fn weak_labels_beside_annotators() {
    let workplace = Workplace::new();
    let row = |place: usize| {
        let label = |wrong: usize| ["ham", "spam"][(place + usize::from(place % 5 == wrong)) % 2];
        let bob = u8::from(label(1) == "spam");
        let cat = if place > 250 { Json::Null } else { label(2).into() };
        json!({"text": format!("text {place}"), "gold": label(9), "weak": label(2), "ann": label(0), "bob": bob, "cat": cat})
    };
    workplace.write("rows.jsonl", (0..300).map(|place| row(place).to_string() + "\n").collect::<String>());
    workplace.write(
        "study.toml",
        "name = 'a'\n[task]\ntrain = 'rows.jsonl'\ntest_size = 0.2\nvalues = { ham = 0, spam = 1 }\n[model]\npath = 'm'\n",
    );
    let report = |arguments: &[&str]| workplace.output_of(&[&["label-report", "study.toml"], arguments].concat());
    let printed = report(&["--annotator", "ann", "--annotator", "bob", "--annotator", "cat"]);
    let (_, beside) = printed.split_once("The weak labels beside annotators").unwrap();
    insta::assert_snapshot!(beside, @"
                   labels   with gold   accuracy
    ─────────────────────────────────────────────────────
     weak labels      300         300   .800 (.751–.841)
     ann              300         300   .800 (.751–.841)
     bob              300         300   .800 (.751–.841)
     cat              251         251   .801 (.747–.846)

    Agreement, and the correlation of errors
                        texts   agree   errors coincide
    ────────────────────────────────────────────────────
     weak labels, ann     300    .600             -0.25
     weak labels, bob     300    .600             -0.25
     weak labels, cat     251   1.000             +1.00
     ann, bob             300    .600             -0.25
     ann, cat             251    .598             -0.25
     bob, cat             251    .602             -0.25

    May the weak labels stand in for annotators?
     left out   texts   weak at least as well   annotator at least as well       p
    ───────────────────────────────────────────────────────────────────────────────
     ann          300                    .967                         .800   0.000
     bob          300                    .967                         .800   0.000
     cat          251                   1.000                        1.000   0.000
    the weak labels may stand in for the annotators: with a handicap of 0.1 they fare no worse than 3 of 3 by the alternative annotator test, and agree with the others at least as well as an annotator on 98% of texts
    ");
    let two = report(&["--annotator", "ann", "--annotator", "bob", "--epsilon", "0.2"]);
    assert!(two.contains("with fewer than three annotators this says little"), "{two}");
    let complaint = |arguments: &[&str]| workplace.complaint(&[&["label-report", "study.toml"], arguments].concat());
    insta::assert_snapshot!(complaint(&["--annotator", "ann"]), @"
    error: one annotator is named
    hint: name at least two, and better three: whether one can be replaced is judged by the others
    ");
    insta::assert_snapshot!(complaint(&["--annotator", "ann", "--annotator", "text"]), @r#"
    error: the annotator "text" says "text 244", which is no label
    hint: labels are 0, 1, true, false, probabilities, or what `values` in [task] gives a class
    "#);
}

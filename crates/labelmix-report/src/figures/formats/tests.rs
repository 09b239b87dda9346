use std::collections::HashSet;

use super::*;
use crate::figures::accuracy_by_weak_fraction;
use crate::worked_example::answer;

fn figure(columns: Columns) -> String {
    accuracy_by_weak_fraction(&answer(), "seq-sft", columns)
}

/// The content of a PDF whose streams are not compressed, with bytes that are no text left out.
fn pdf_text(svg: &str) -> String {
    String::from_utf8_lossy(&pdf(&read(svg), false)).into_owned()
}

/// The characters that a PDF's fonts say their glyphs stand for: what a reader copies and searches.
fn mapped_characters(pdf: &str) -> HashSet<char> {
    let tables = pdf.split("beginbfchar").skip(1).filter_map(|rest| rest.split("endbfchar").next());
    let code = |hex: &str| u32::from_str_radix(hex.trim_matches(['<', '>']), 16).ok().and_then(char::from_u32);
    tables.flat_map(str::lines).filter_map(|line| code(line.split_whitespace().nth(1)?)).collect()
}

fn png_info(bytes: &[u8]) -> png::Info<'static> {
    png::Decoder::new(bytes).read_info().unwrap().info().clone()
}

#[test]
fn a_page_of_pdf_is_as_large_as_the_column() {
    for (columns, millimetres) in [(Columns::One, 84.0), (Columns::Two, 174.0)] {
        let pdf = pdf_text(&figure(columns));
        let page = pdf.split("/MediaBox [").nth(1).unwrap().split(']').next().unwrap();
        let corners: Vec<f64> = page.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let points = millimetres / 25.4 * 72.0;
        assert!((corners[2] - points).abs() < 0.5, "{corners:?} for {points} points");
    }
}

#[test]
fn a_pdf_has_its_objects_where_its_table_says() {
    let bytes = pdf(&read(&figure(Columns::Two)), true);
    let find =
        |word: &[u8], from: usize| from + bytes[from..].windows(word.len()).position(|part| part == word).unwrap();
    let text = |from: usize, to: usize| std::str::from_utf8(&bytes[from..to]).unwrap().trim();
    assert!(bytes.starts_with(b"%PDF-1.") && text(bytes.len() - 6, bytes.len()) == "%%EOF");
    let pointer = find(b"startxref", 0) + 9;
    let table: usize = text(pointer, bytes.len() - 6).parse().unwrap();
    let mut lines = text(table, pointer - 9).lines();
    assert_eq!(lines.next(), Some("xref"));
    let places = lines.filter(|line| line.ends_with(" n") || line.ends_with(" n ")).map(|line| &line[..10]);
    let mut objects = 0;
    for (number, place) in (1..).zip(places) {
        let place: usize = place.parse().unwrap();
        assert!(bytes[place..].starts_with(format!("{number} 0 obj").as_bytes()), "object {number} at {place}");
        objects += 1;
    }
    assert!(objects > 5, "{objects} objects");
}

#[test]
fn text_is_text_in_pdf_and_its_letters_are_embedded() {
    let pdf = pdf_text(&figure(Columns::Two));
    assert!(pdf.contains("+NotoSans") && pdf.contains("/FontFile2"), "no embedded font");
    let mapped = mapped_characters(&pdf);
    let words = "reviews: seq-sft Share of the budget spent on weak labels Test accuracy $4.50 ± s.d.";
    let missing: Vec<char> = words.chars().filter(|letter| *letter != ' ' && !mapped.contains(letter)).collect();
    assert!(missing.is_empty(), "{missing:?} are not text");
}

#[test]
fn a_png_has_300_pixels_to_an_inch_and_says_so() {
    for (columns, millimetres) in [(Columns::One, 84.0), (Columns::Two, 174.0)] {
        let info = png_info(&png(&read(&figure(columns))));
        let pixels = millimetres / 25.4 * 300.0;
        assert!((f64::from(info.width) - pixels).abs() < 3.0, "{} for {pixels}", info.width);
        assert_eq!(info.pixel_dims.unwrap().xppu, 11_811, "pixels to a metre");
    }
}

#[test]
fn a_png_shows_the_figure_on_white() {
    let bytes = png(&read(&figure(Columns::One)));
    let mut reader = png::Decoder::new(bytes.as_slice()).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size()];
    reader.next_frame(&mut pixels).unwrap();
    let dark = pixels.chunks_exact(3).filter(|pixel| pixel.iter().all(|channel| *channel < 100)).count();
    let white = pixels.chunks_exact(3).filter(|pixel| **pixel == [255; 3]).count();
    let all = pixels.len() / 3;
    assert_eq!(pixels[..3], [255; 3], "the corner is paper");
    assert!(dark > all / 200 && white > all / 2, "{dark} dark and {white} white pixels of {all}");
}

#[test]
fn the_same_figure_gives_the_same_bytes() {
    let formats = [FigureFormat::Svg, FigureFormat::Pdf, FigureFormat::Png];
    let files = || figure_files(vec![("figure".to_owned(), figure(Columns::One))], &formats);
    let first = files();
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["figure.svg", "figure.pdf", "figure.png"]);
    assert_eq!(first, files());
    assert!(!String::from_utf8_lossy(&first[1].1).contains("CreationDate"));
}

#[test]
fn names_that_no_font_knows_are_drawn_all_the_same() {
    let study = "\u{4e2d}\u{6587} \u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{10ffff}\u{ffff}\u{fffe}\u{1}<&>";
    let answer = crate::Answer { study: study.to_owned(), ..answer() };
    let svg = accuracy_by_weak_fraction(&answer, "seq-sft", Columns::Two);
    for (_, content) in figure_files(vec![("figure".to_owned(), svg)], &[FigureFormat::Pdf, FigureFormat::Png]) {
        assert!(content.len() > 1000);
    }
}

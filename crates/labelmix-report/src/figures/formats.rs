//! Figures in the formats that papers and slides take: SVG as it is drawn, PDF and PNG made of it.
//!
//! A font is compiled in (Noto Sans), so that text has the same width and a figure the same bytes on every machine, also
//! where no font is installed. The fonts of the machine are read only for characters that it lacks.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use svg2pdf::{ConversionOptions, PageOptions};
use usvg::fontdb::{Database, Source};
use usvg::{FontResolver, Options, Tree};

use super::Columns;

/// A kind of file that a figure is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureFormat {
    /// Vectors for the web and for drawing programs, with text as text in whatever sans-serif font the reader has.
    Svg,
    /// Vectors for papers, with text as text and the letters that it needs embedded.
    Pdf,
    /// Pixels, 300 to an inch of paper.
    Png,
}

/// How figures are set and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureSettings {
    pub columns: Columns,
    /// The kinds of files, each once.
    pub formats: Vec<FigureFormat>,
}

impl Default for FigureSettings {
    /// Two columns wide, as SVG to look at and PDF to print.
    fn default() -> Self {
        Self { columns: Columns::default(), formats: vec![FigureFormat::Svg, FigureFormat::Pdf] }
    }
}

/// What the web takes for an inch, and so the reader of SVG.
const CSS_DPI: f32 = 96.0;
const PRINT_DPI: f32 = 300.0;

/// The names, with their endings, and the contents of figures in each of the formats.
pub(crate) fn figure_files(figures: Vec<(String, String)>, formats: &[FigureFormat]) -> Vec<(String, Vec<u8>)> {
    let needs_tree = formats.iter().any(|format| *format != FigureFormat::Svg);
    let mut files = Vec::new();
    for (name, svg) in figures {
        let tree = needs_tree.then(|| read(&svg));
        for format in formats {
            files.push(match (format, &tree) {
                (FigureFormat::Pdf, Some(tree)) => (format!("{name}.pdf"), pdf(tree, true)),
                (FigureFormat::Png, Some(tree)) => (format!("{name}.png"), png(tree)),
                _ => (format!("{name}.svg"), svg.clone().into_bytes()),
            });
        }
    }
    files
}

/// Reads a figure and sets its text.
fn read(svg: &str) -> Tree {
    let options = Options {
        dpi: CSS_DPI,
        font_family: "Noto Sans".to_owned(),
        font_resolver: FontResolver { select_fallback: fonts_of_the_machine(), ..FontResolver::default() },
        fontdb: Arc::clone(&BUNDLED),
        ..Options::default()
    };
    Tree::from_str(svg, &options).expect("a figure is well-formed SVG, which the figures' tests hold it to")
}

static BUNDLED: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_source(Source::Binary(Arc::new(notosans::REGULAR_TTF)));
    fonts.set_sans_serif_family("Noto Sans");
    Arc::new(fonts)
});

/// The bundled font and those of the machine, read when a character first needs them.
static INSTALLED: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::clone(&BUNDLED);
    fonts.load_system_fonts();
    Arc::new(fonts)
});

fn fonts_of_the_machine() -> usvg::FallbackSelectionFn<'static> {
    let select = FontResolver::default_fallback_selector();
    Box::new(move |character, tried, fonts| {
        *fonts = Arc::clone(&INSTALLED);
        select(character, tried, fonts)
    })
}

/// A PDF of one page, as large as the figure on paper.
fn pdf(tree: &Tree, compress: bool) -> Vec<u8> {
    let options = ConversionOptions { compress, ..ConversionOptions::default() };
    svg2pdf::to_pdf(tree, options, PageOptions { dpi: CSS_DPI })
        .expect("a figure has paths and text alone, all of which PDF has")
}

/// A PNG that knows its size on paper.
fn png(tree: &Tree) -> Vec<u8> {
    const INCHES_PER_METRE: f32 = 39.370_08;
    let size = tree.size().to_int_size().scale_by(PRINT_DPI / CSS_DPI).expect("a figure has a width and a height");
    let mut pixels = Pixmap::new(size.width(), size.height()).expect("a figure has a width and a height");
    let scale = |to: u32, from: f32| to as f32 / from;
    let fit =
        Transform::from_scale(scale(size.width(), tree.size().width()), scale(size.height(), tree.size().height()));
    resvg::render(tree, fit, &mut pixels.as_mut());

    // The page is white all over, so no pixel is transparent.
    let colours: Vec<u8> = pixels.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size.width(), size.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let per_metre = (PRINT_DPI * INCHES_PER_METRE).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }));
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&colours))
        .expect("as many colours as pixels, written to memory");
    file
}

#[cfg(test)]
mod tests;

//! Everything that uses the instructions. Callers have made sure that the processor has them.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, __mmask16, __mmask32, _mm512_add_ps, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps,
    _mm512_fmadd_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_epi16, _mm512_maskz_loadu_ps,
    _mm512_permutex2var_epi16, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_shuffle_i32x4, _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};
use std::mem::transmute;
use std::ops::Range;

use super::tiles::{LowRankTile, PANEL, TILE};
use super::{HalfMatrix, Reading};

/// The lowest `count` of the bits of a mask.
fn lowest_16(count: usize) -> __mmask16 {
    if count >= 16 { !0 } else { (1 << count) - 1 }
}

/// The lowest `count` of the bits of a mask.
fn lowest_32(count: usize) -> __mmask32 {
    if count >= 32 { !0 } else { (1 << count) - 1 }
}

/// Rounds a row to pairs; the pairs beyond the row's end become zero.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn round_row(pairs: &mut [u32], row: &[f32]) {
    for (index, pairs) in pairs.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let rest = row.get(32 * index..).unwrap_or(&[]);
        // SAFETY: masked loads touch no more than the rest of the row; the store fills sixteen pairs.
        unsafe {
            let low = _mm512_maskz_loadu_ps(lowest_16(rest.len()), rest.as_ptr());
            let high = _mm512_maskz_loadu_ps(lowest_16(rest.len().saturating_sub(16)), rest.as_ptr().wrapping_add(16));
            let rounded: __m512i = transmute(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(pairs.as_mut_ptr().cast(), rounded);
        }
    }
}

/// Writes the weights of some terms and columns of a product side by side: `panel[pair][column]`, where a pair is
/// two consecutive terms. What lies beyond the last term or column becomes zero.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn write_panel(
    panel: &mut [u32],
    weight: HalfMatrix<'_>,
    reading: Reading,
    terms: Range<usize>,
    columns: Range<usize>,
) {
    match reading {
        Reading::Transposed => write_panel_of_rows(panel, weight, terms, columns),
        Reading::AsIs => write_panel_of_columns(panel, weight, terms, columns),
    }
}

/// Terms lie side by side in the matrix's rows already: blocks of sixteen rows and sixteen pairs are transposed.
#[target_feature(enable = "avx512f,avx512bw")]
fn write_panel_of_rows(panel: &mut [u32], weight: HalfMatrix<'_>, terms: Range<usize>, columns: Range<usize>) {
    let pairs = terms.len().div_ceil(2);
    for half in 0..PANEL / 16 {
        for first_pair in (0..pairs).step_by(16) {
            let first_term = terms.start + 2 * first_pair;
            let mut block = [_mm512_setzero_si512(); 16];
            for (index, row) in block.iter_mut().enumerate() {
                let column = columns.start + 16 * half + index;
                if column < columns.end {
                    let start = &weight.values[column * weight.columns + first_term..];
                    // SAFETY: the mask keeps the load within the row.
                    *row =
                        unsafe { _mm512_maskz_loadu_epi16(lowest_32(terms.end - first_term), start.as_ptr().cast()) };
                }
            }
            transpose(&mut block);
            for (index, row) in block.into_iter().enumerate().take(pairs - first_pair) {
                let place = &mut panel[(first_pair + index) * PANEL + 16 * half..][..16];
                // SAFETY: sixteen pairs, as the slice has.
                unsafe { _mm512_storeu_si512(place.as_mut_ptr().cast(), row) };
            }
        }
    }
}

/// Two consecutive terms are two rows of the matrix, whose numbers are interleaved.
#[target_feature(enable = "avx512f,avx512bw")]
fn write_panel_of_columns(panel: &mut [u32], weight: HalfMatrix<'_>, terms: Range<usize>, columns: Range<usize>) {
    const INTERLEAVE: [[u16; 32]; 2] = {
        let mut order = [[0; 32]; 2];
        let mut index = 0;
        while index < 32 {
            // Numbers of the second row have indices from 32 on.
            let source = (index / 2 + index % 2 * 32) as u16;
            order[0][index] = source;
            order[1][index] = source + 16;
            index += 1;
        }
        order
    };
    // SAFETY: arrays of 64 bytes.
    let order: [__m512i; 2] = unsafe { transmute(INTERLEAVE) };
    let mask = lowest_32(columns.len());
    let row = |term: usize| {
        if term < terms.end {
            let start = &weight.values[term * weight.columns + columns.start..];
            // SAFETY: the mask keeps the load within the columns.
            unsafe { _mm512_maskz_loadu_epi16(mask, start.as_ptr().cast()) }
        } else {
            _mm512_setzero_si512()
        }
    };
    for (pair, place) in panel.as_chunks_mut::<PANEL>().0.iter_mut().enumerate().take(terms.len().div_ceil(2)) {
        let (first, second) = (row(terms.start + 2 * pair), row(terms.start + 2 * pair + 1));
        for (order, place) in order.into_iter().zip(place.as_chunks_mut::<16>().0) {
            let interleaved = _mm512_permutex2var_epi16(first, order, second);
            // SAFETY: sixteen pairs, as the chunk has.
            unsafe { _mm512_storeu_si512(place.as_mut_ptr().cast(), interleaved) };
        }
    }
}

/// Transposes sixteen rows of sixteen numbers of 32 bits: pairs of rows, then of pairs, then blocks of four.
#[target_feature(enable = "avx512f")]
fn transpose(rows: &mut [__m512i; 16]) {
    let mut pairs = [_mm512_setzero_si512(); 16];
    for index in 0..8 {
        pairs[2 * index] = _mm512_unpacklo_epi32(rows[2 * index], rows[2 * index + 1]);
        pairs[2 * index + 1] = _mm512_unpackhi_epi32(rows[2 * index], rows[2 * index + 1]);
    }
    let mut quads = [_mm512_setzero_si512(); 16];
    for index in 0..4 {
        for part in 0..2 {
            let (a, b) = (pairs[4 * index + part], pairs[4 * index + 2 + part]);
            quads[4 * index + 2 * part] = _mm512_unpacklo_epi64(a, b);
            quads[4 * index + 2 * part + 1] = _mm512_unpackhi_epi64(a, b);
        }
    }
    for index in 0..4 {
        let [a, b, c, d] = [quads[index], quads[4 + index], quads[8 + index], quads[12 + index]];
        let ab_even = _mm512_shuffle_i32x4::<0x88>(a, b);
        let ab_odd = _mm512_shuffle_i32x4::<0xDD>(a, b);
        let cd_even = _mm512_shuffle_i32x4::<0x88>(c, d);
        let cd_odd = _mm512_shuffle_i32x4::<0xDD>(c, d);
        rows[index] = _mm512_shuffle_i32x4::<0x88>(ab_even, cd_even);
        rows[4 + index] = _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd);
        rows[8 + index] = _mm512_shuffle_i32x4::<0xDD>(ab_even, cd_even);
        rows[12 + index] = _mm512_shuffle_i32x4::<0xDD>(ab_odd, cd_odd);
    }
}

/// A few rows of one panel of a product.
pub(super) struct Tile<'a> {
    pub(super) rows: usize,
    /// Pairs of the first row from its first term on; further rows begin `left_stride` pairs apart.
    pub(super) left: &'a [u32],
    pub(super) left_stride: usize,
    /// `[pairs, PANEL]`.
    pub(super) panel: &'a [u32],
    pub(super) pairs: usize,
    /// Columns of the panel that are wanted.
    pub(super) columns: usize,
    /// Whether the result is added to what is there.
    pub(super) add: bool,
    pub(super) low_rank: Option<LowRankTile<'a>>,
}

impl Tile<'_> {
    /// Computes the tile and writes it to `out`, whose rows are `stride` apart.
    ///
    /// # Safety
    /// The processor has the instructions, and `out` has so many rows of `columns` columns.
    pub(super) unsafe fn compute(&self, out: *mut f32, stride: usize) {
        let rows = self.rows;
        assert!(rows <= TILE && self.panel.len() >= self.pairs * PANEL, "a tile reaches past its panel");
        assert!(self.left.len() >= (rows - 1) * self.left_stride + self.pairs, "a tile reaches past its rows");
        // SAFETY: the caller's promises, and the lengths just checked.
        unsafe {
            match rows {
                1 => self.compute_rows::<1>(out, stride),
                2 => self.compute_rows::<2>(out, stride),
                3 => self.compute_rows::<3>(out, stride),
                4 => self.compute_rows::<4>(out, stride),
                5 => self.compute_rows::<5>(out, stride),
                6 => self.compute_rows::<6>(out, stride),
                7 => self.compute_rows::<7>(out, stride),
                8 => self.compute_rows::<8>(out, stride),
                9 => self.compute_rows::<9>(out, stride),
                10 => self.compute_rows::<10>(out, stride),
                11 => self.compute_rows::<11>(out, stride),
                _ => self.compute_rows::<TILE>(out, stride),
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn compute_rows<const ROWS: usize>(&self, out: *mut f32, stride: usize) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        let (left, panel) = (self.left.as_ptr(), self.panel.as_ptr());
        // SAFETY: `compute` has checked the lengths of rows and panel.
        unsafe {
            for pair in 0..self.pairs {
                let weights: [__m512bh; 2] = [
                    transmute::<__m512i, __m512bh>(_mm512_loadu_si512(panel.add(pair * PANEL).cast())),
                    transmute::<__m512i, __m512bh>(_mm512_loadu_si512(panel.add(pair * PANEL + 16).cast())),
                ];
                for (row, sums) in sums.iter_mut().enumerate() {
                    let both = *left.add(row * self.left_stride + pair);
                    let both = transmute::<__m512i, __m512bh>(_mm512_set1_epi32(both.cast_signed()));
                    sums[0] = _mm512_dpbf16_ps(sums[0], both, weights[0]);
                    sums[1] = _mm512_dpbf16_ps(sums[1], both, weights[1]);
                }
            }
            let masks = [lowest_16(self.columns), lowest_16(self.columns.saturating_sub(16))];
            if let Some(low_rank) = self.low_rank {
                Self::add_low_rank(&mut sums, low_rank, masks);
            }
            for (row, sums) in sums.into_iter().enumerate() {
                for (half, (sum, mask)) in sums.into_iter().zip(masks).enumerate() {
                    let place = out.add(row * stride).wrapping_add(16 * half);
                    let sum = if self.add { _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, place)) } else { sum };
                    _mm512_mask_storeu_ps(place, mask, sum);
                }
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    fn add_low_rank<const ROWS: usize>(
        sums: &mut [[__m512; 2]; ROWS],
        LowRankTile { rank, left, right, stride }: LowRankTile<'_>,
        masks: [__mmask16; 2],
    ) {
        for component in 0..rank {
            let start = &right[component * stride..];
            // SAFETY: the masks keep the loads within the columns.
            let right = unsafe {
                [
                    _mm512_maskz_loadu_ps(masks[0], start.as_ptr()),
                    _mm512_maskz_loadu_ps(masks[1], start.as_ptr().wrapping_add(16)),
                ]
            };
            for (row, sums) in sums.iter_mut().enumerate() {
                let factor = _mm512_set1_ps(left[row * rank + component]);
                sums[0] = _mm512_fmadd_ps(factor, right[0], sums[0]);
                sums[1] = _mm512_fmadd_ps(factor, right[1], sums[1]);
            }
        }
    }
}

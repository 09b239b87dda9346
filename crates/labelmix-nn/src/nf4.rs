//! 4-bit normal floats with double quantisation: the format of `QLoRA` (Dettmers et al. 2023), as bitsandbytes keeps it.
//!
//! The numbers, row by row, fall into blocks of 64. A block keeps its largest magnitude and, for each number, the
//! nearest of sixteen levels of the number divided by that magnitude. The magnitudes, less their mean, are themselves
//! kept in 8 bits: in blocks of 256, as the nearest of the 256 levels of bitsandbytes' signed dynamic type.

use std::sync::LazyLock;

/// Numbers that share a scale.
const BLOCK: usize = 64;
/// Scales that share a scale of their own.
const SCALES_BLOCK: usize = 256;

/// The sixteen levels: quantiles of the normal distribution, scaled to [-1, 1], with an exact zero (the table that
/// bitsandbytes publishes).
pub const NF4_LEVELS: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// The levels of bitsandbytes' signed 8-bit dynamic type, ascending: for each of seven powers of ten, the means of 1 to
/// 64 equal parts of [0.1, 1] with both signs; and 0 and 1. Rounded as torch rounds them: boundaries are counted from
/// the nearer end, with one rounding each.
static SCALE_LEVELS: LazyLock<[f32; 256]> = LazyLock::new(|| {
    const FIRST: f32 = 0.1;
    let mut levels = vec![0.0, 1.0];
    for exponent in 0..7 {
        let parts = 1_u16 << exponent;
        let step = f64::from((1.0 - FIRST) / f32::from(parts));
        let boundary = |index: u16| {
            if index < parts.div_ceil(2) {
                (f64::from(FIRST) + step * f64::from(index)) as f32
            } else {
                (1.0 - step * f64::from(parts - index)) as f32
            }
        };
        let power = 10_f64.powi(exponent - 6) as f32;
        for part in 0..parts {
            let level = power * f32::midpoint(boundary(part), boundary(part + 1));
            levels.extend([level, -level]);
        }
    }
    levels.sort_by(f32::total_cmp);
    levels.try_into().expect("2 + 2·(1 + 2 + … + 64) levels")
});

/// Quantised numbers.
#[derive(Debug)]
pub struct Nf4 {
    length: usize,
    /// Two levels a byte, the first in the upper half.
    levels: Box<[u8]>,
    /// The level of each block's scale, and the magnitude that the levels of 256 scales are relative to.
    scale_levels: Box<[u8]>,
    scale_magnitudes: Box<[f32]>,
    /// The mean of the scales.
    offset: f32,
}

impl Nf4 {
    /// The nearest representation of `values`.
    pub fn quantize(values: &[f32]) -> Self {
        let magnitude = |values: &[f32]| values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scales: Vec<f32> = values.chunks(BLOCK).map(magnitude).collect();
        let mut levels = vec![0_u8; values.len().div_ceil(2)];
        for (index, (block, scale)) in values.chunks(BLOCK).zip(&scales).enumerate() {
            let reciprocal = if *scale > 0.0 { 1.0 / scale } else { 0.0 };
            for (offset, value) in block.iter().enumerate() {
                let position = index * BLOCK + offset;
                let shift = if position.is_multiple_of(2) { 4 } else { 0 };
                levels[position / 2] |= nearest(&NF4_LEVELS, value * reciprocal) << shift;
            }
        }
        // Where the length is odd, bitsandbytes fills the last half byte with the level of zero.
        if !values.len().is_multiple_of(2) {
            levels[values.len() / 2] |= nearest(&NF4_LEVELS, 0.0);
        }
        let offset = (scales.iter().map(|scale| f64::from(*scale)).sum::<f64>() / scales.len().max(1) as f64) as f32;
        let centred: Vec<f32> = scales.iter().map(|scale| scale - offset).collect();
        let scale_magnitudes: Box<[f32]> = centred.chunks(SCALES_BLOCK).map(magnitude).collect();
        let scale_levels = centred
            .chunks(SCALES_BLOCK)
            .zip(&scale_magnitudes)
            .flat_map(|(block, magnitude)| {
                let reciprocal = if *magnitude > 0.0 { 1.0 / magnitude } else { 0.0 };
                block.iter().map(move |value| nearest(&*SCALE_LEVELS, value * reciprocal))
            })
            .collect();
        Self { length: values.len(), levels: levels.into(), scale_levels, scale_magnitudes, offset }
    }

    /// Numbers that were quantised elsewhere, from the parts that the accessors below describe.
    ///
    /// # Panics
    /// If the parts do not belong to `length` numbers.
    pub fn from_parts(
        length: usize,
        packed_levels: &[u8],
        scale_levels: &[u8],
        scale_magnitudes: &[f32],
        offset: f32,
    ) -> Self {
        let scales = length.div_ceil(BLOCK);
        let expected = [length.div_ceil(2), scales, scales.div_ceil(SCALES_BLOCK)];
        let lengths = [packed_levels.len(), scale_levels.len(), scale_magnitudes.len()];
        assert_eq!(lengths, expected, "the lengths of the parts of {length} quantised numbers");
        Self {
            length,
            levels: packed_levels.into(),
            scale_levels: scale_levels.into(),
            scale_magnitudes: scale_magnitudes.into(),
            offset,
        }
    }

    /// Writes the numbers from position `first` on.
    pub fn dequantize(&self, first: usize, out: &mut [f32]) {
        assert!(first + out.len() <= self.length, "beyond the quantised numbers");
        let mut position = first;
        let mut rest = out;
        while !rest.is_empty() {
            let length = (BLOCK - position % BLOCK).min(rest.len());
            let (now, later) = rest.split_at_mut(length);
            let scale = self.scale(position / BLOCK);
            let table = NF4_LEVELS.map(|level| level * scale);
            for (value, position) in now.iter_mut().zip(position..) {
                let byte = self.levels[position / 2];
                let level = if position.is_multiple_of(2) { byte >> 4 } else { byte & 15 };
                *value = table[usize::from(level)];
            }
            position += length;
            rest = later;
        }
    }

    /// The scale of one block.
    fn scale(&self, block: usize) -> f32 {
        let level = SCALE_LEVELS[usize::from(self.scale_levels[block])];
        level * self.scale_magnitudes[block / SCALES_BLOCK] + self.offset
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The levels, two a byte: the first of each pair in the upper half.
    pub fn packed_levels(&self) -> &[u8] {
        &self.levels
    }

    /// The 8-bit levels of the blocks' scales.
    pub fn scale_levels(&self) -> &[u8] {
        &self.scale_levels
    }

    /// The magnitudes that the levels of 256 scales each are relative to.
    pub fn scale_magnitudes(&self) -> &[f32] {
        &self.scale_magnitudes
    }

    /// The mean of the blocks' scales.
    pub fn offset(&self) -> f32 {
        self.offset
    }

    pub(crate) fn bytes(&self) -> usize {
        Self::bytes_for(self.length)
    }

    pub(crate) fn bytes_for(length: usize) -> usize {
        let scales = length.div_ceil(BLOCK);
        length.div_ceil(2) + scales + 4 * scales.div_ceil(SCALES_BLOCK) + 4
    }
}

/// The index of the level nearest to `value`; of two equally near ones the lower.
fn nearest(levels: &[f32], value: f32) -> u8 {
    let above = levels.partition_point(|level| *level < value);
    let index = match above {
        0 => 0,
        above if above == levels.len() => above - 1,
        above if value > f32::midpoint(levels[above - 1], levels[above]) => above,
        above => above - 1,
    };
    index as u8
}

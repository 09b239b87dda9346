//! Amounts of memory as people write them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, written with a binary unit: "3.5 GiB".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = match UNITS.iter().find(|(_, unit)| self.0 >= *unit) {
            None => format!("{} bytes", self.0),
            Some((name, unit)) => {
                let amount = self.0 as f64 / *unit as f64;
                let places = usize::from(amount < 100.0);
                format!("{amount:.places$} {name}")
            }
        };
        formatter.pad(&written)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    /// A number with a unit ("512MiB", "16 GiB", "1.5g"); units count in steps of 1024.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no amount of memory: write a number with a unit, such as 512MiB or 16GiB");
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let amount: f64 = text[..end].parse().map_err(|_| wrong())?;
        let initial = text[end..].trim().chars().next().map(|c| c.to_ascii_uppercase());
        let unit = UNITS.iter().find(|(name, _)| name.chars().next() == initial).ok_or_else(wrong)?.1;
        Ok(Self((amount * unit as f64) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_and_read() {
        let written = [17, 1536, 300 << 20, 16 << 30].map(|bytes| ByteSize(bytes).to_string());
        assert_eq!(written, ["17 bytes", "1.5 KiB", "300 MiB", "16.0 GiB"]);
        assert_eq!("16GiB".parse(), Ok(ByteSize(16 << 30)));
        assert_eq!(" 1.5 g".parse(), Ok(ByteSize(3 << 29)));
        for wrong in ["16", "GiB", "-3GiB", "1.2.3 MiB", "4 apples", ""] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
    }
}

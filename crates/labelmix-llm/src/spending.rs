//! Tokens and dollars.

use labelmix_store::Tokens;
use labelmix_study::Rates;

/// What tokens cost at these rates, in dollars.
pub(crate) fn usd(rates: Rates, tokens: Tokens) -> f64 {
    let cached = tokens.cached.min(tokens.input);
    let fresh = (tokens.input - cached) as f64 * rates.input;
    (fresh + cached as f64 * rates.cached.unwrap_or(rates.input) + tokens.output as f64 * rates.output) / 1e6
}

/// What may be spent and what was.
#[derive(Debug)]
pub(crate) struct Purse {
    rates: Rates,
    max_usd: f64,
    /// Dollars for answers that came.
    spent: f64,
    /// Dollars for requests without an answer, which may have been paid.
    perhaps: f64,
    /// The most that requests on their way can cost.
    reserved: f64,
}

impl Purse {
    pub(crate) fn new(rates: Rates, max_usd: Option<f64>, paid: Tokens, perhaps: Tokens) -> Self {
        let [spent, perhaps] = [paid, perhaps].map(|tokens| usd(rates, tokens));
        Self { rates, max_usd: max_usd.unwrap_or(f64::INFINITY), spent, perhaps, reserved: 0.0 }
    }

    /// Takes what a request can cost at most, if it is there.
    pub(crate) fn reserve(&mut self, most: Tokens) -> bool {
        let usd = usd(self.rates, most);
        // Sums of many small numbers are off by less than this part of them.
        let fits = self.spent + self.perhaps + self.reserved + usd <= self.max_usd * (1.0 + 1e-9);
        if fits {
            self.reserved += usd;
        }
        fits
    }

    /// A request came to its end.
    pub(crate) fn settle(&mut self, most: Tokens, end: End) {
        let most = usd(self.rates, most);
        self.reserved -= most;
        match end {
            End::Paid(tokens) => self.spent += usd(self.rates, tokens),
            End::PerhapsPaid => self.perhaps += most,
            End::NotPaid => {}
        }
    }

    pub(crate) fn spent(&self) -> f64 {
        self.spent
    }

    pub(crate) fn perhaps(&self) -> f64 {
        self.perhaps
    }
}

/// What a request cost in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Paid(Tokens),
    /// The service may have worked, and its answer did not arrive.
    PerhapsPaid,
    NotPaid,
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { input: 0.10, cached: Some(0.025), output: 0.50 };

    #[test]
    fn dollars_of_tokens() {
        let plain = usd(RATES, Tokens { input: 500, cached: 0, output: 5 });
        assert!((plain - 0.000_052_5).abs() < 1e-15, "{plain}");
        let cached = usd(RATES, Tokens { input: 500, cached: 400, output: 5 });
        assert!((cached - (100.0 * 0.1 + 400.0 * 0.025 + 2.5) / 1e6).abs() < 1e-15);
        let dearer = usd(Rates { cached: None, ..RATES }, Tokens { input: 500, cached: 400, output: 5 });
        assert!((dearer - plain).abs() < 1e-15);
    }

    #[test]
    fn nothing_is_sent_whose_worst_case_does_not_fit() {
        let request = Tokens { input: 1_000_000, cached: 0, output: 0 };
        let half = Tokens { input: 500_000, cached: 0, output: 0 };
        let mut purse = Purse::new(RATES, Some(0.30), Tokens::default(), Tokens::default());
        assert!([(); 3].iter().all(|()| purse.reserve(request)));
        assert!(!purse.reserve(request));
        purse.settle(request, End::Paid(half));
        assert!(!purse.reserve(request));
        purse.settle(request, End::Paid(half));
        assert!(purse.reserve(request), "two that cost half of what they could make room for one");
        purse.settle(request, End::PerhapsPaid);
        assert!(!purse.reserve(half), "what may have been paid counts in full");
        purse.settle(request, End::NotPaid);
        assert!(purse.reserve(half));
        assert!((purse.spent() - 0.1).abs() < 1e-12 && (purse.perhaps() - 0.1).abs() < 1e-12);
    }
}
